/**
 * The one question that the command line asks. Knows no verb.
 * @module
 */

import { SluiceError } from '../core/domain/errors.ts';
import type { VerbContext } from './verb-context.ts';

/** True with --yes. Throws USAGE when nobody can be asked: silence is not consent. */
export async function confirm(context: VerbContext, question: string): Promise<boolean> {
  if (context.yes) return true;
  const { keyboard } = context.io;
  if (!context.canAsk || !keyboard) {
    throw new SluiceError('USAGE', {
      detail: 'this needs a confirmation, and nobody can be asked here',
      hint: 'Add --yes if you are sure.',
    });
  }
  const answer = await keyboard.ask(`${question} [y/N] `);
  return /^y(es)?$/i.test(answer.trim());
}
