import type { ServerResponse } from 'node:http';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startImpatient } from '../support/failing-upstream.ts';
import { call, eventually, GatewayHarness, portOf, raw } from '../support/gateway-harness.ts';

let harness: GatewayHarness;

beforeEach(async () => {
  harness = await GatewayHarness.open();
});

afterEach(() => harness.close());

/** Nothing of it matters here, however busy the machine is. */
const PATIENT = { connectMs: 9_000, responseMs: 9_000, idleMs: 9_000, totalMs: 9_000 };

/** A piece every 20 ms until somebody ends it: never idle, never over. */
function trickle(response: ServerResponse): void {
  const timer = setInterval(() => response.write('.'), 20);
  response.on('close', () => clearInterval(timer));
}

const GET = 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';

describe('a response that goes on and on', () => {
  it.each([
    ['attempt', { attemptMs: 1_500 }],
    ['complete', { completeMs: 1_500 }],
  ])('is cut off by timeout.%s, and the version is blamed', async (_name, limit) => {
    const upstream = await harness.upstream((_request, response) => trickle(response));
    const gateway = await startImpatient(harness, [upstream.url], {
      timeout: { ...PATIENT, ...limit },
    });
    const text = await raw(portOf(gateway), GET);
    expect(text).toContain('HTTP/1.1 200');
    expect(text.endsWith('0\r\n\r\n')).toBe(false);
    await eventually(() => harness.outcomes('v1', 'attempts', 'timeout') === 1);
  });

  it('goes on without them for as long as something comes', async () => {
    let pieces = 0;
    const upstream = await harness.upstream((_request, response) => {
      const timer = setInterval(() => {
        pieces += 1;
        response.write('.');
        if (pieces === 100) response.end();
      }, 20);
      response.on('close', () => clearInterval(timer));
    });
    const gateway = await startImpatient(harness, [upstream.url], {
      timeout: { ...PATIENT, responseMs: 1_500, totalMs: 1_500 },
    });
    const reply = await call(gateway, '/');
    expect([reply.status, reply.body.length]).toEqual([200, 100]);
  });

  it('is tried again when its attempt has to be over before the head', async () => {
    let calls = 0;
    const upstream = await harness.upstream((_request, response) => {
      calls += 1;
      if (calls > 1) response.end('second');
    });
    const gateway = await startImpatient(harness, [upstream.url], {
      timeout: { ...PATIENT, attemptMs: 1_000 },
      retry: { attempts: 1, on: ['timeout'], baseMs: 1, maxMs: 1, bufferBytes: 0 },
    });
    expect((await call(gateway, '/')).body).toBe('second');
  });
});
