import { request } from 'undici';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openRedis } from '../../src/adapters/redis/open-redis.ts';
import type { GatewayConfig, PathMatch } from '../../src/config/gateway-model.ts';
import {
  completePurgeOnSuccess,
  type PurgeOnSuccessYaml,
} from '../../src/config/policies/purge-on-success.ts';
import type { Gateway } from '../../src/gateway/gateway.ts';
import type { PurgeChannel } from '../../src/ports/purge-channel.ts';
import { type Answer, cached, numbered, status } from '../support/caching-gateway.ts';
import { serviceOf } from '../support/gateway-config.ts';
import { call, GatewayHarness, portOf, type Reply } from '../support/gateway-harness.ts';
import { accessFile } from '../support/gateway-observed.ts';
import { type RedisServer, startRedis } from '../support/redis-server.ts';

let harness: GatewayHarness;
let server: RedisServer;

beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server?.stop());

beforeEach(async () => {
  harness = await GatewayHarness.open();
});
afterEach(() => harness.close());

const KEPT = { 'cache-control': 'max-age=60' };

function ask(gateway: Gateway, path: string, method = 'GET', host = 'shop.example'): Promise<Reply> {
  return call(gateway, path, { method, headers: { host } });
}

async function isHit(gateway: Gateway, path: string, host = 'shop.example'): Promise<boolean> {
  const headers = { host, 'cache-control': 'only-if-cached' };
  return status(await call(gateway, path, { headers })).includes('hit');
}

async function until(check: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (!(await check())) if (performance.now() > deadline) expect.fail('not within 20 s');
}

/** A gateway whose route for unsafe methods purges so. */
async function purging(
  yaml: PurgeOnSuccessYaml,
  { path, answer = numbered(KEPT) }: { path?: PathMatch; answer?: Answer } = {},
): Promise<{ gateway: Gateway; config: GatewayConfig }> {
  const { config: plain } = await cached(harness, answer, { tags: 'surrogate-key' });
  const purgeOnSuccess = completePurgeOnSuccess(yaml);
  const routes = plain.routes.map((route) =>
    route.name === 'plain' ? { ...route, purgeOnSuccess, path: path ?? route.path } : route,
  );
  const config = { ...plain, routes };
  return { gateway: await harness.gateway(config), config };
}

async function stored(gateway: Gateway, paths: readonly string[]): Promise<string[]> {
  const hits: string[] = [];
  for (const path of paths) if (await isHit(gateway, path)) hits.push(path);
  return hits;
}

async function fill(gateway: Gateway, paths: readonly string[]): Promise<void> {
  for (const path of paths) await ask(gateway, path);
}

describe('what a successful unsafe request purges by its route', () => {
  const PATHS = ['/list', '/list?page=1', '/list/1', '/item/7?lang=de', '/item/7/more', '/item/70', '/other'];

  it.each<[PurgeOnSuccessYaml, readonly string[]]>([
    [{ paths: ['/list'] }, ['/list', '/list?page=1']],
    [{ paths: [`/item/\${param.id}`] }, ['/item/7?lang=de']],
    [{ prefixes: [`/item/\${param.id}`] }, ['/item/7?lang=de', '/item/7/more']],
    [{ prefixes: [`\${request.path}`] }, []],
    [
      { paths: ['/list'], prefixes: ['/item'] },
      ['/list', '/list?page=1', '/item/7?lang=de', '/item/7/more', '/item/70'],
    ],
    [false, []],
  ])('%j', async (yaml, dropped) => {
    const { gateway } = await purging(yaml, { path: { kind: 'template', path: '/edit/{id}' } });
    await fill(gateway, PATHS);
    await ask(gateway, '/edit/7', 'PUT');
    expect(await stored(gateway, PATHS)).toEqual(PATHS.filter((path) => !dropped.includes(path)));
  });

  it('goes by tags, too, and for every host', async () => {
    const answer: Answer = (asked, response) =>
      response.writeHead(200, { ...KEPT, 'surrogate-key': `all item-${asked.url?.slice(1)}` }).end();
    const { gateway } = await purging({ tags: [`item-\${query.id}`] }, { answer });
    await fill(gateway, ['/7', '/8']);
    await ask(gateway, '/7', 'GET', 'other.example');
    await ask(gateway, '/edit?id=7', 'POST');
    expect(await stored(gateway, ['/7', '/8'])).toEqual(['/8']);
    expect(await isHit(gateway, '/7', 'other.example')).toBe(false);
  });

  it.each([400, 404, 409, 500, 503])('is nothing when the upstream answers %i', async (code) => {
    const answer: Answer = (asked, response) =>
      response.writeHead(asked.method === 'GET' ? 200 : code, KEPT).end();
    const { gateway } = await purging({ prefixes: ['/'] }, { answer });
    await fill(gateway, ['/a']);
    await ask(gateway, '/b', 'DELETE');
    expect(await isHit(gateway, '/a')).toBe(true);
  });

  it.each([201, 204, 303])('is dropped when the upstream answers %i', async (code) => {
    const answer: Answer = (asked, response) =>
      response.writeHead(asked.method === 'GET' ? 200 : code, KEPT).end();
    const { gateway } = await purging({ prefixes: ['/'] }, { answer });
    await fill(gateway, ['/a']);
    await ask(gateway, '/b', 'POST');
    expect(await isHit(gateway, '/a')).toBe(false);
  });

  it.each([
    ['no value', '/edit'],
    ['an empty one', '/edit?below='],
    ['one that leads elsewhere', '/edit?below=..'],
  ])('never becomes more where a variable has %s', async (_case, target) => {
    const { gateway } = await purging({ prefixes: [`/item/\${query.below}`] });
    await fill(gateway, PATHS);
    await ask(gateway, target, 'PUT');
    expect(await stored(gateway, PATHS)).toEqual(PATHS);
    await ask(gateway, '/edit?below=7', 'PUT');
    expect(await stored(gateway, ['/item/7?lang=de', '/item/70'])).toEqual(['/item/70']);
  });

  it('is nothing when a fallback answers instead', async () => {
    const answer: Answer = (asked, response) =>
      response.writeHead(asked.method === 'GET' ? 200 : 503, KEPT).end();
    const { config } = await purging({ prefixes: ['/'] }, { answer });
    const other = await harness.upstream((_request, response) => response.end('other'));
    const to = { kind: 'service', service: 'other' } as const;
    const gateway = await harness.gateway({
      ...config,
      services: { ...config.services, other: serviceOf('other', { v1: [other.url] }) },
      routes: config.routes.map((route) => ({ ...route, fallback: { on: new Set(['503'] as const), to } })),
    });
    await fill(gateway, ['/a']);
    expect((await ask(gateway, '/b', 'PUT')).body).toBe('other');
    expect(await isHit(gateway, '/a')).toBe(true);
  });

  it('is told to the access log', async () => {
    const log = accessFile(harness);
    const { config } = await purging({ paths: ['/list'], prefixes: [`/item/\${query.id}`] });
    const gateway = await harness.gateway({ ...config, accessLog: log.config });
    await fill(gateway, PATHS);
    await ask(gateway, '/edit', 'PUT');
    expect((await log.lines(PATHS.length + 1)).at(-1)).toMatchObject({ purged: '2', purges_left_out: '1' });
  });

  it('keeps a response that is just coming in from being stored', async () => {
    let finish = (): void => {};
    const answer: Answer = (asked, response) => {
      if (asked.method !== 'GET') {
        response.end();
        return;
      }
      response.writeHead(200, KEPT).write('old');
      finish = () => response.end();
    };
    const { gateway } = await purging({ paths: ['/list'] }, { answer });
    const url = `http://127.0.0.1:${portOf(gateway)}/list?page=1`;
    const reading = await request(url, { headers: { host: 'shop.example' } });
    await ask(gateway, '/edit', 'PUT');
    finish();
    expect(await reading.body.text()).toBe('old');
    expect(await isHit(gateway, '/list?page=1')).toBe(false);
  });
});

describe.each(['embedded', 'Redis'])('other gateways, told by %s', (kind) => {
  async function channel(): Promise<PurgeChannel> {
    if (kind === 'embedded') return harness.purges;
    await server.command('FLUSHALL');
    const backend = await openRedis({ url: server.url });
    harness.onClose(() => backend.close());
    return backend.purges;
  }

  it('drop the same', async () => {
    const purges = await channel();
    const { config } = await purging({ paths: [`\${request.path}`, '/list'] });
    const [one, two] = [await harness.gateway(config, { purges }), await harness.gateway(config, { purges })];
    const paths = ['/7?lang=de', '/list?page=1', '/8?lang=de', '/list/1'];
    await fill(two, paths);
    await ask(one, '/7', 'PUT');
    await until(async () => (await stored(two, paths)).length === 2);
    expect(await stored(two, paths)).toEqual(['/8?lang=de', '/list/1']);
  });
});
