/**
 * A gateway to be fuzzed, with a route for each thing that is done to requests, and what has to hold of it whatever it got:
 * nothing crashed, nothing is left open, good requests are answered. Knows no input.
 * @module
 */

import { connect as connectH2 } from 'node:http2';
import { expect } from 'vitest';
import { loadGatewayConfig } from '../../../src/config/gateway-config.ts';
import type { Gateway } from '../../../src/gateway/gateway.ts';
import { admin, type GatewayHarness, portOf, raw } from '../gateway-harness.ts';

/** Where requests go: to an upstream of HTTP/1.1 or, below `/h2`, of HTTP/2. */
export const PREFIXES = ['', '/json', '/xml', '/keyed', '/small', '/h2', '/h2/json'];
export const SECRET_FREE = /^(?:\/h2)?\/json/;
export const KEPT_TRAILERS: ReadonlySet<string> = new Set(['x-digest']);

const PATIENCE = 'timeout: { connect: 500ms, response: 500ms, idle: 500ms, total: 1s }';
const JSON_RULES =
  'json: { request: { drop: [secret], maxBytes: 20000 }, response: { drop: [secret], maxBytes: 20000 } }';

function yamlOf(h1: string, h2: string): string {
  const route = (name: string, prefix: string, service: string, policies: string) =>
    `  - { name: ${name}, match: { prefix: ${prefix} }, service: ${service}, ${PATIENCE}, ${policies} }`;
  return `listeners:
  - { address: 127.0.0.1:0, http2: true, limits: { headersTimeout: 1s, requestTimeout: 5s, keepAlive: 400ms } }
admin: { address: 127.0.0.1:0 }
accessLog: 'off'
services:
  one: { trailers: [x-digest], requestTrailers: [x-digest], versions: { v1: { endpoints: ['${h1}'] } } }
  two: { trailers: [x-digest], requestTrailers: [x-digest], protocol: h2, versions: { v1: { endpoints: ['${h2}'] } } }
routes:
${[
  route('json', '/json', 'one', JSON_RULES),
  route(
    'xml',
    '/xml',
    'one',
    'xml: { request: { root: order }, response: { root: order }, maxBytes: 20000 }',
  ),
  route('keyed', '/keyed', 'one', 'idempotency: {}, cache: {}'),
  route('small', '/small', 'one', 'maxBodyBytes: 16, compress: { minBytes: 0 }'),
  route('live', '/live', 'one', 'upgrade: [websocket]'),
  route('json2', '/h2/json', 'two', JSON_RULES),
  route(
    'plain2',
    '/h2',
    'two',
    'concurrency: { max: 1000 }, retry: { attempts: 2, on: [502, reset], bufferBytes: 1000 }',
  ),
  route('plain', '/', 'one', 'concurrency: { max: 1000 }'),
].join('\n')}
`;
}

export interface FuzzedGateway {
  readonly port: number;
  /** Fails unless the gateway has come to no harm and answers a good request over either protocol. */
  checkUnharmed(): Promise<void>;
  /** Fails unless everything that was opened is closed, in time. */
  checkIdle(): Promise<void>;
}

/** `goodPath`: where a good request over HTTP/2 has an answer; default: at the upstream of HTTP/2. */
export async function openFuzzedGateway(
  harness: GatewayHarness,
  upstreams: { readonly h1: string; readonly h2: string; readonly goodPath?: string },
): Promise<FuzzedGateway> {
  const text = yamlOf(upstreams.h1, upstreams.h2);
  const { value, diagnostics } = loadGatewayConfig({
    name: 'fuzz.yaml',
    text,
    absolutePath: '/srv/fuzz.yaml',
  });
  if (value === null) throw new Error(diagnostics.map(({ message }) => message).join('; '));
  const gateway = await harness.gateway(value);
  const crashes = watchCrashes(harness);
  return {
    port: portOf(gateway),
    checkUnharmed: async () => {
      expect(crashes).toEqual([]);
      expect(harness.log.filter((line) => /"level":(?:50|60|"error"|"fatal")/.test(line))).toEqual([]);
      expect(await goodAnswer(gateway)).toMatch(/^HTTP\/1\.1 \d{3} /);
      expect(await goodAnswerH2(gateway, upstreams.goodPath ?? '/h2/good')).toBeGreaterThanOrEqual(200);
    },
    checkIdle: () => untilIdle(gateway),
  };
}

/** What would end the process, were it no test. */
function watchCrashes(harness: GatewayHarness): string[] {
  const crashes: string[] = [];
  const note = (error: unknown): void => {
    crashes.push(error instanceof Error ? String(error.stack) : String(error));
  };
  process.on('uncaughtException', note);
  process.on('unhandledRejection', note);
  harness.onClose(async () => {
    process.off('uncaughtException', note);
    process.off('unhandledRejection', note);
  });
  return crashes;
}

function goodAnswer(gateway: Gateway): Promise<string> {
  return raw(portOf(gateway), 'GET /good HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n\r\n');
}

function goodAnswerH2(gateway: Gateway, path: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const session = connectH2(`http://127.0.0.1:${portOf(gateway)}`);
    session.on('error', reject);
    session.setTimeout(30_000, () => session.destroy(new Error('no answer over HTTP/2')));
    const stream = session.request({ ':path': path });
    stream.on('error', reject);
    stream.on('response', (headers) => {
      stream.resume();
      stream.on('close', () => session.close(() => resolve(Number(headers[':status']))));
    });
  });
}

/** Requests, connections of clients, tunnels, attempts: whatever is under way. */
const UNDER_WAY =
  /^(sluice_(?:listener_connections|requests_in_flight|tunnels_open|route_in_flight|mirror_in_flight|endpoint_attempts_in_flight|endpoint_attempts_queued)(?:\{[^}]*\})?) (\S+)$/gm;
const LONGEST_MS = 30_000;

async function untilIdle(gateway: Gateway): Promise<void> {
  const deadlineMs = performance.now() + LONGEST_MS;
  for (;;) {
    const { body } = await admin(gateway, '/metrics');
    const series = [...body.matchAll(UNDER_WAY)].map(([, name, value]) => [name, Number(value)] as const);
    const open = series.filter(([, value]) => value !== 0);
    if (series.length > 0 && open.length === 0) return;
    if (performance.now() > deadlineMs) expect(open, 'left open').toEqual([]);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
