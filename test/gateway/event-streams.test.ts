import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Histogram } from '../../src/core/analysis/histogram.ts';
import { gatewayConfigOf, serviceOf } from '../support/gateway-config.ts';
import { admin, eventually, GatewayHarness, portOf, type Upstream } from '../support/gateway-harness.ts';

let harness: GatewayHarness;

beforeEach(async () => {
  harness = await GatewayHarness.open();
});

afterEach(() => harness.close());

async function open(
  upstream: Upstream,
): Promise<{ response: IncomingMessage; metrics: () => Promise<string> }> {
  const gateway = await harness.gateway(gatewayConfigOf([serviceOf('events', { v1: [upstream.url] })]));
  const request = get({ host: '127.0.0.1', port: portOf(gateway), path: '/', agent: false });
  request.on('error', () => {});
  const [response] = await once(request, 'response');
  response.on('error', () => {});
  return { response, metrics: async () => (await admin(gateway, '/metrics')).body };
}

/** Latencies of a version in milliseconds, the longest of what was reported. */
function longestMs(view: 'attempts' | 'responses'): number {
  const all = new Histogram();
  for (const { versions } of harness.stream.summaries) {
    const wire = versions.v1?.[view].latencyUs;
    if (wire !== undefined) all.merge(wire);
  }
  return (all.quantileUs(1) ?? Number.NaN) / 1000;
}

describe('an event stream', () => {
  it('passes each event on before the next one exists', async () => {
    const pending: (() => void)[] = [];
    const upstream = await harness.upstream((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders();
      for (let i = 0; i < 3; i += 1) pending.push(() => response.write(`data: ${i}\n\n`));
    });
    // The head is there although no event is.
    const { response } = await open(upstream);
    for (let i = 0; i < 3; i += 1) {
      pending[i]?.();
      expect(String((await once(response, 'data'))[0])).toBe(`data: ${i}\n\n`);
    }
    response.destroy();
  });

  it.each([
    ['its client leaves', false, 'clientAborted'],
    ['the upstream ends it', true, 'status2xx'],
  ] as const)('counts with the time to its head when %s', async (_case, ends, outcome) => {
    let end = (): void => {};
    const upstream = await harness.upstream((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders();
      response.write('data: 1\n\n');
      end = () => response.end();
    });
    const { response, metrics } = await open(upstream);
    response.resume();
    await new Promise((resolve) => setTimeout(resolve, 700));
    if (ends) end();
    else response.destroy();
    await eventually(() => harness.outcomes('v1', 'attempts', outcome) === 1);
    await eventually(() => harness.outcomes('v1', 'responses', outcome) === 1);
    expect(longestMs('attempts')).toBeLessThan(500);
    expect(longestMs('responses')).toBeLessThan(500);
    const sums = (await metrics()).match(/duration_seconds_sum\{[^}]*v1[^}]*\} \S+/g) ?? [];
    expect(sums).toHaveLength(2);
    for (const line of sums) expect(Number(line.split(' ').at(-1))).toBeLessThan(0.5);
  });

  it('tells the upstream at once when its client leaves', async () => {
    let closed = false;
    const upstream = await harness.upstream((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders();
      response.on('close', () => {
        closed = true;
      });
    });
    const { response } = await open(upstream);
    response.destroy();
    await eventually(() => closed);
  });
});

describe('a download that its client leaves', () => {
  it('while it flows counts with the time to its head', async () => {
    const upstream = await harness.upstream((_request, response) => {
      const timer = setInterval(() => response.write('x'.repeat(1_000)), 20);
      response.on('close', () => clearInterval(timer));
    });
    const { response } = await open(upstream);
    response.resume();
    await new Promise((resolve) => setTimeout(resolve, 900));
    response.destroy();
    await eventually(() => harness.outcomes('v1', 'attempts', 'clientAborted') === 1);
    expect(longestMs('attempts')).toBeLessThan(600);
  });

  it('after it stopped half-way counts with the silence, so that a version that hangs is seen', async () => {
    const upstream = await harness.upstream((_request, response) => {
      response.writeHead(200, { 'content-length': '1000' });
      response.write('the beginning');
    });
    const { response } = await open(upstream);
    response.resume();
    await new Promise((resolve) => setTimeout(resolve, 700));
    response.destroy();
    await eventually(() => harness.outcomes('v1', 'attempts', 'clientAborted') === 1);
    expect(longestMs('attempts')).toBeGreaterThan(600);
  });
});
