/** What people ask for at the same time, or twice, or about a run that is over: the whole operator on one backend. */

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createEmbeddedPurgeChannel } from '../../src/adapters/embedded/purge-channel.ts';
import { startControlApi } from '../../src/api/control-api.ts';
import { SluiceError } from '../../src/core/domain/errors.ts';
import { createOperator, type Operator } from '../../src/operator/operator.ts';
import type { OperatorContext } from '../../src/operator/operator-context.ts';
import type { Backend } from '../../src/ports/backend.ts';
import type { Action, ActRequest } from '../../src/ports/control.ts';
import { plan } from '../core/rollout/plans.ts';
import { runCli, startCli } from '../support/cli-harness.ts';
import { eventually } from '../support/eventually.ts';
import { silentLogger } from '../support/silent-logger.ts';
import { catalogOf, contextOf, MovedClock, memoryBackend } from '../support/sluice-operator.ts';

const START: Action = { kind: 'start', source: null, message: null, dryRun: false };
const ABORT: Action = { kind: 'abort', reason: 'no' };
const RETRY: Action = { kind: 'retry', message: null };

const asked = (action: Action, changes: Partial<ActRequest> = {}): ActRequest => ({
  rollout: 'orders-v2',
  action,
  actor: { kind: 'user', name: 'ada' },
  expectStep: null,
  expectRun: null,
  ...changes,
});

let clock: MovedClock;
let backend: Backend;
let operator: Operator;

beforeEach(async () => {
  clock = new MovedClock();
  backend = await memoryBackend(clock);
  operator = operatorNamed('operator-1');
});

afterEach(() => operator.close());

function operatorNamed(holder: string, changes: Partial<OperatorContext> = {}): Operator {
  const catalog = catalogOf(plan(), plan({ rollout: 'orders-v3', canary: 'v3' }));
  return createOperator(contextOf(backend, clock, { catalog, holder, ...changes }));
}

const codes = (results: readonly PromiseSettledResult<unknown>[]): readonly string[] =>
  results.map((result) => (result.status === 'fulfilled' ? 'ok' : String(result.reason.code))).sort();

describe('starts at the same moment', () => {
  it('of one rollout: one wins, the others are told that it runs', async () => {
    const starts = [1, 2, 3].map(() => operator.control.act(asked(START)));
    expect(codes(await Promise.allSettled(starts))).toEqual(['ALREADY_RUNNING', 'ALREADY_RUNNING', 'ok']);
    expect(await backend.store.events('orders-v2', 0, 10)).toHaveLength(1);
  });

  it('of two rollouts on one service: one wins', async () => {
    const starts = ['orders-v2', 'orders-v3'].map((rollout) =>
      operator.control.act(asked(START, { rollout })),
    );
    expect(codes(await Promise.allSettled(starts))).toEqual(['ALREADY_RUNNING', 'ok']);
    expect(await backend.store.list()).toHaveLength(1);
  });

  it('by two operators: the one without the lease says who has it', async () => {
    const other = operatorNamed('operator-2');
    const starts = [operator, other].map(({ control }) => control.act(asked(START)));
    expect(codes(await Promise.allSettled(starts))).toEqual(['HELD_ELSEWHERE', 'ok']);
    await other.close();
  });

  it('while an operator that has just come up adopts what it finds: the start is not undone', async () => {
    await operator.control.act(asked(START));
    await operator.control.act(asked(ABORT));
    await operator.close();
    operator = operatorNamed('operator-3');
    operator.start();
    const view = await operator.control.act(asked(START, { rollout: 'orders-v3' }));
    expect(view).toMatchObject({ rollout: 'orders-v3', phase: 'holding', run: 1 });
    await eventually(async () => (await backend.channel.read('orders'))?.weights.v3 === 100);
    expect(await operator.control.view('orders-v2')).toMatchObject({
      sentence: expect.stringContaining('orders-v3 was started on orders since'),
    });
  });
});

describe('a request about a run that is over', () => {
  it('is refused, whatever it asks, when the run that it names is not the newest', async () => {
    await operator.control.act(asked(START));
    await operator.control.act(asked(ABORT, { expectRun: 1 }));
    await operator.control.act(asked(RETRY, { expectRun: 1 }));
    const late: readonly Action[] = [
      { kind: 'pause', reason: null },
      { kind: 'promote', full: true, reason: null },
      ABORT,
      RETRY,
    ];
    for (const action of late) {
      await expect(operator.control.act(asked(action, { expectRun: 1 }))).rejects.toMatchObject({
        code: 'STEP_MOVED',
        data: { expectedRun: 1, actualRun: 2 },
      });
    }
    expect(await operator.control.view('orders-v2')).toMatchObject({ phase: 'holding', run: 2 });
  });
});

describe('an abort that is asked for twice', () => {
  it('succeeds twice and is on record once', async () => {
    await operator.control.act(asked(START));
    const first = await operator.control.act(asked(ABORT));
    const second = await operator.control.act(asked({ kind: 'abort', reason: 'really' }));
    expect([first.phase, second.phase, second.version]).toEqual(['aborted', 'aborted', first.version]);
    const events = await backend.store.events('orders-v2', 0, 10);
    expect(events.map(({ type }) => type)).toEqual(['started', 'aborted']);
  });
});

describe('a clock that steps back', () => {
  it('does not make an older run the newest', async () => {
    await operator.control.act(asked(START));
    await operator.control.act(asked(ABORT));
    clock.advance(-3_600_000);
    await operator.control.act(asked(START, { rollout: 'orders-v3' }));
    await operator.close();
    operator = operatorNamed('operator-4');
    operator.start();
    await eventually(async () => (await backend.channel.read('orders'))?.weights.v3 === 100);
    expect(await operator.control.view('orders-v3')).toMatchObject({ phase: 'holding' });
  });

  it('keeps neither views from those who watch nor progress from the store', async () => {
    operator.start();
    await operator.control.act(asked(START));
    const seenAtMs: number[] = [];
    const watching = new AbortController();
    operator.control.subscribe(({ view }) => seenAtMs.push(view.nowMs), watching.signal);
    const { version } = await operator.control.view('orders-v2');
    clock.advance(-3_600_000);
    await eventually(() => seenAtMs.includes(clock.nowMs()));
    await eventually(async () => (await operator.control.view('orders-v2')).version > version);
    watching.abort();
  });
});

describe('a channel that refuses for a while', () => {
  it('keeps nobody who watches from the decision, and the effect follows', async () => {
    let broken = false;
    const channel: Backend['channel'] = new Proxy(backend.channel, {
      get(target, name, receiver) {
        if (name === 'write' && broken) return () => Promise.reject(new Error('the channel is away'));
        const value = Reflect.get(target, name, receiver);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
    await operator.close();
    operator = operatorNamed('operator-5', { backend: { ...backend, channel } });
    operator.start();
    const api = await startControlApi({
      control: operator.control,
      purges: createEmbeddedPurgeChannel(),
      address: { host: '127.0.0.1', port: 0 },
      tokens: [],
      loopbackWithoutToken: true,
      logger: silentLogger,
    });
    try {
      const env = { SLUICE_SERVER: api.url };
      await operator.control.act(asked(START));
      const watching = startCli(['events', '-f', 'orders-v2', '--json'], { env });
      const seen = (): readonly string[] => watching.stdout.match(/"type":"[a-z]+"/g) ?? [];
      await eventually(() => seen().length === 1 && watching.stderr.includes('HOLDING'));
      broken = true;
      expect((await runCli(['abort', 'orders-v2'], { env })).code).toBe(1);
      await eventually(() => seen().length === 2);
      expect((await backend.channel.read('orders'))?.weights.v2).toBe(100);
      broken = false;
      // Whoever was told of a failure asks again, and is told that it is done.
      expect((await runCli(['abort', 'orders-v2'], { env })).code).toBe(0);
      await eventually(async () => (await backend.channel.read('orders'))?.weights.v2 !== 100);
      watching.interrupt();
      await watching.ended;
      expect(seen()).toEqual(['"type":"started"', '"type":"aborted"']);
    } finally {
      await api.close();
    }
  });
});

describe('a decision that gateways cannot be told of yet', () => {
  it('says that it stands and that nothing has to be done again, and goes out once they can be', async () => {
    await operator.control.act(asked(START));
    const { channel } = backend;
    let away = true;
    const failing: Backend = {
      ...backend,
      channel: {
        ...bound(channel),
        write: (...args) =>
          away
            ? Promise.reject(new SluiceError('UNAVAILABLE', { detail: 'the channel is away' }))
            : channel.write(...args),
      },
    };
    await operator.close();
    operator = createOperator(
      contextOf(failing, clock, { catalog: catalogOf(plan()), holder: 'operator-9' }),
    );
    const error = await operator.control.act(asked(ABORT)).then(
      () => null,
      (reason: unknown) => reason,
    );
    expect(error).toMatchObject({
      code: 'UNPUBLISHED',
      detail: 'the channel is away',
      hint: expect.stringContaining('Nothing has to be done again'),
    });
    expect((await backend.store.load('orders-v2'))?.state.phase).toBe('aborted');
    away = false;
    operator.start();
    await eventually(async () => (await channel.read('orders'))?.weights.v1 === 10_000);
  });
});

/** Its methods as they are, whatever class they come from. */
function bound(channel: Backend['channel']): Backend['channel'] {
  return {
    read: (service) => channel.read(service),
    write: (split) => channel.write(split),
    renew: (...args) => channel.renew(...args),
    watch: (...args) => channel.watch(...args),
    acknowledge: (...args) => channel.acknowledge(...args),
    acknowledgements: (...args) => channel.acknowledgements(...args),
  };
}
