import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Route } from '../../src/config/gateway-model.ts';
import type { Gateway } from '../../src/gateway/gateway.ts';
import { gatewayConfigOf, routeOf, serviceOf } from '../support/gateway-config.ts';
import { call, eventually, GatewayHarness } from '../support/gateway-harness.ts';
import { type AccessFile, accessFile, summed } from '../support/gateway-observed.ts';

let harness: GatewayHarness;
let access: AccessFile;

beforeEach(async () => {
  harness = await GatewayHarness.open();
  access = accessFile(harness);
});

afterEach(() => harness.close());

/** Answers after `delayMs` or when that is so; null: never. */
async function answering(name: string, when: number | null | (() => boolean), status = 200) {
  const calls = { count: 0, closed: 0, ended: 0 };
  const { url } = await harness.upstream((request, response) => {
    calls.count += 1;
    request.resume();
    response.on('close', () => {
      if (response.writableFinished) calls.ended += 1;
      else calls.closed += 1;
    });
    const answer = (): unknown => response.writeHead(status).end(name);
    if (typeof when === 'number') setTimeout(answer, when);
    else if (when !== null) void eventually(when).then(answer);
  });
  return { url, calls };
}

function gatewayOf(urls: readonly string[], route: Partial<Route> = {}): Promise<Gateway> {
  const service = serviceOf('orders', { v1: urls });
  return harness.gateway(
    gatewayConfigOf([service], {
      accessLog: access.config,
      routes: [routeOf('orders', { hedge: { afterMs: 30 }, ...route })],
    }),
  );
}

describe('a hedged request', () => {
  it('is tried at another endpoint when the first has no answer, and the slow one is called off', async () => {
    const slow = await answering('slow', null);
    const quick = await answering('quick', 0);
    const gateway = await gatewayOf([slow.url, quick.url]);
    expect((await call(gateway, '/')).body).toBe('quick');
    expect([slow.calls.count, quick.calls.count]).toEqual([1, 1]);
    await eventually(() => slow.calls.closed === 1);
    expect((await access.lines(1))[0]).toMatchObject({ attempts: 2, hedged: 'true', endpoint: quick.url });
  });

  it('leaves the attempt that was called off in the telemetry, as one that took at least so long', async () => {
    const slow = await answering('slow', null);
    const quick = await answering('quick', 0);
    const gateway = await gatewayOf([slow.url, quick.url]);
    await call(gateway, '/');
    const { attempts } = await summed(harness, 'orders', 'v1', 3);
    expect([attempts.total, attempts.aborted]).toEqual([1, 1]);
  });

  it('takes the first answer, if that comes first after all', async () => {
    const second = await answering('second', null);
    const first = await answering('first', () => second.calls.count === 1);
    const gateway = await gatewayOf([first.url, second.url]);
    expect((await call(gateway, '/')).body).toBe('first');
    expect(second.calls.count).toBe(1);
    await eventually(() => second.calls.closed === 1);
  });

  it('does not take an error while the other may still answer', async () => {
    const failing = await answering('failing', 0, 503);
    const first = await answering('first', () => failing.calls.ended === 1);
    const gateway = await gatewayOf([first.url, failing.url]);
    expect(await call(gateway, '/')).toMatchObject({ status: 200, body: 'first' });
    const late = await answering('late', 120);
    const refused = await gatewayOf([late.url, 'http://127.0.0.1:1']);
    expect(await call(refused, '/')).toMatchObject({ status: 200, body: 'late' });
  });

  it('takes the error when both fail', async () => {
    const two = await answering('two', 0, 503);
    const one = await answering('one', () => two.calls.count === 1, 503);
    const gateway = await gatewayOf([one.url, two.url]);
    expect(await call(gateway, '/')).toMatchObject({ status: 503 });
    expect([one.calls.count, two.calls.count]).toEqual([1, 1]);
  });

  it('is no retry: those that the route allows come after it, and only when the first attempt was quick enough', async () => {
    const two = await answering('two', 0, 503);
    const one = await answering('one', () => two.calls.count === 1, 503);
    const retry = { attempts: 1, on: ['503'] as const, baseMs: 1, maxMs: 1, bufferBytes: 0 };
    const urls = [one.url, two.url];
    await call(await gatewayOf(urls, { retry }), '/');
    expect(one.calls.count + two.calls.count).toBe(3);
    // The hedge itself comes after 30 ms.
    await call(await gatewayOf(urls, { retry: { ...retry, onlyIfFirstAttemptUnderMs: 20 } }), '/');
    expect(one.calls.count + two.calls.count).toBe(5);
  });

  it('is not one when it is quick, cannot be repeated, or has nowhere else to go', async () => {
    const quick = await answering('quick', 0);
    const slow = await answering('slow', 100);
    // Long enough for the slowest machine: a quick answer comes first.
    const gateway = await gatewayOf([quick.url, slow.url], { hedge: { afterMs: 10_000 } });
    await call(gateway, '/');
    const alone = await gatewayOf([slow.url]);
    await call(alone, '/');
    const unsafe = await gatewayOf([slow.url, quick.url]);
    await call(unsafe, '/', { method: 'POST', body: 'x' });
    expect([quick.calls.count, slow.calls.count]).toEqual([1, 2]);
  });

  it('is ended on both sides when its client leaves', async () => {
    const one = await answering('one', null);
    const two = await answering('two', null);
    const gateway = await gatewayOf([one.url, two.url]);
    const leaving = new AbortController();
    const asked = fetch(`http://127.0.0.1:${gateway.addresses[0]?.port}/`, { signal: leaving.signal });
    await eventually(() => two.calls.count === 1);
    leaving.abort();
    await expect(asked).rejects.toThrow();
    await eventually(() => one.calls.closed === 1 && two.calls.closed === 1);
  });
});
