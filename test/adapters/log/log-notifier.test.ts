import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import { createLogNotifier } from '../../../src/adapters/log/log-notifier.ts';
import { ABORTED, STARTED } from '../webhook/events.ts';

describe('createLogNotifier', () => {
  it('writes one line per event, an abort as a warning', async () => {
    const lines: string[] = [];
    const logger = pino({ base: null, timestamp: false }, { write: (line: string) => lines.push(line) });
    const notifier = createLogNotifier({ name: 'log', logger });
    const signal = new AbortController().signal;
    expect(await notifier.deliver(STARTED, signal)).toEqual({ kind: 'delivered' });
    expect(await notifier.deliver(ABORTED, signal)).toEqual({ kind: 'delivered' });
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([
      {
        level: 30,
        event: 'started',
        eventId: 'orders-v2/1/1',
        msg: 'rollout orders-v2 started: Started by mia.',
      },
      {
        level: 40,
        event: 'aborted',
        eventId: 'orders-v2/1/7',
        weightBeforeBp: 500,
        weightAfterBp: 0,
        code: 'RULE',
        at: '2026-11-18T11:06:47.123Z',
        checks: [
          { text: '5xx > 2x', verdict: 'fail' },
          { verdict: 'pass' },
          { verdict: 'fail' },
          { verdict: 'no-evidence' },
        ],
      },
    ]);
  });
});
