/**
 * Which rollout a verb is about when no name was given. Knows no verb.
 * @module
 */

import { SluiceError } from '../core/domain/errors.ts';
import type { ControlClient } from './client.ts';
import { isActiveView } from './run-phase.ts';
import type { VerbContext } from './verb-context.ts';

/**
 * The name given, else the only active rollout, else the only one that ever ran, else the only one there is. Throws
 * USAGE with the names to choose from.
 */
export async function resolveName(
  context: VerbContext,
  client: ControlClient,
  given: string | undefined,
): Promise<string> {
  if (given !== undefined) return given;
  const views = await client.list();
  const active = views.filter(isActiveView);
  const [only, other] = active;
  if (only && !other) {
    context.talk(`(${only.rollout}, the only active rollout)`);
    return only.rollout;
  }
  const started = views.filter((view) => view.phase !== 'ready');
  const [known, another] = started.length > 0 ? started : views;
  if (active.length === 0 && known && !another) {
    const why = started.length > 0 ? 'that was ever started' : 'there is';
    context.talk(`(${known.rollout}, the only rollout ${why})`);
    return known.rollout;
  }
  const names = (active.length > 0 ? active : views).map((view) => view.rollout).sort();
  throw new SluiceError('USAGE', {
    detail:
      active.length > 0
        ? `${active.length} rollouts are active, so say which one`
        : 'no rollout is active, so say which one is meant',
    hint: names.length > 0 ? `One of: ${names.join(', ')}` : 'None is declared: add one to rollouts/.',
  });
}
