/**
 * The log as a notifier: one structured line per rollout event.
 * Knows neither where the logger writes nor how.
 * @module
 */

import type { Logger } from 'pino';
import { eventId } from '../../core/domain/rollout-event.ts';
import type { Notifier } from '../../ports/notifier.ts';

export interface LogOptions {
  readonly name: string;
  readonly logger: Logger;
}

/** Aborts are warnings, everything else is information. */
export function createLogNotifier({ name, logger }: LogOptions): Notifier {
  return {
    name,
    async deliver(event) {
      const { type, rollout, service, baseline, canary, step, weightBeforeBp, weightAfterBp } = event;
      const fields = {
        event: type,
        eventId: eventId(event),
        rollout,
        service,
        baseline,
        canary,
        step,
        weightBeforeBp,
        weightAfterBp,
        ...(event.mirrorBp !== undefined && { mirrorBp: event.mirrorBp }),
        actor: event.actor,
        code: event.code,
        at: new Date(event.atMs).toISOString(),
        checks: event.evidence.map(({ text, verdict, summary }) => ({ text, verdict, summary })),
      };
      logger[type === 'aborted' ? 'warn' : 'info'](fields, `rollout ${rollout} ${type}: ${event.reason}`);
      return { kind: 'delivered' };
    },
  };
}
