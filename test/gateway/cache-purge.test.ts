import type { ServerResponse } from 'node:http';
import { request } from 'undici';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Purge } from '../../src/core/policy/cache/purge.ts';
import { cached, numbered, status } from '../support/caching-gateway.ts';
import { admin, call, eventually, GatewayHarness, portOf } from '../support/gateway-harness.ts';
import { gatewayOfYaml } from '../support/gateway-yaml.ts';

let harness: GatewayHarness;

beforeEach(async () => {
  harness = await GatewayHarness.open();
});

afterEach(() => harness.close());

const TAGS_HIDDEN = `
routes:
  - name: hidden
    match: { prefix: / }
    service: orders
    cache: { tags: surrogate-key }
    headers: { response: { remove: [surrogate-key] } }
`;
const KEPT = { 'cache-control': 'max-age=60' };

function purge(by: Purge['by'], value: string, service: string | null = null) {
  return harness.purges.publish({ by, value, service });
}

/** The paths that are answered from the store. */
async function hits(gateway: Parameters<typeof call>[0], ...paths: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  for (const path of paths) {
    if (
      status(await call(gateway, path, { headers: { 'cache-control': 'only-if-cached' } })).includes('hit')
    ) {
      found.push(path);
    }
  }
  return found;
}

const PATHS = ['/a', '/a?x=1&y=2', '/a/b', '/ab', '/'];

describe('a purge', () => {
  it.each<[string, Purge['by'], string, readonly string[]]>([
    ['by path is of this path alone', 'url', '/a', ['/a?x=1&y=2', '/a/b', '/ab', '/']],
    ['by URL counts the query as the route does', 'url', '/a?y=2&x=1', ['/a', '/a/b', '/ab', '/']],
    ['by URL reads escapes as requests are read', 'url', '/%61', ['/a?x=1&y=2', '/a/b', '/ab', '/']],
    ['by URL of another host is of nothing here', 'url', 'http://other.example/a', PATHS],
    ['by prefix is of whole segments', 'prefix', '/a', ['/ab', '/']],
    ['by prefix with a slash is of the same', 'prefix', '/a/', ['/a', '/a?x=1&y=2', '/ab', '/']],
    ['by the root is of everything', 'prefix', '/', []],
  ])('%s', async (_title, by, value, left) => {
    const { gateway } = await cached(harness, numbered(KEPT));
    for (const path of PATHS) await call(gateway, path);
    expect((await purge(by, value)).reached).toEqual({ gateways: 1, applied: 1 });
    expect(await hits(gateway, ...PATHS)).toEqual(left);
    const { body } = await admin(gateway, '/metrics');
    expect(body).toContain(`sluice_cache_purged_total ${PATHS.length - left.length}`);
  });

  it('by URL with an origin is of that origin, in any case', async () => {
    const { gateway } = await cached(harness, numbered(KEPT));
    await call(gateway, '/a');
    await purge('url', `HTTP://127.0.0.1:${portOf(gateway)}/a`);
    expect(await hits(gateway, '/a')).toEqual([]);
  });

  it('by tag is of what carried the tag, also in a list and in another case', async () => {
    const tags = ['shoes red', 'Shoes,blue', 'shirts', ''];
    const { gateway } = await cached(
      harness,
      (_request, response, n) => response.writeHead(200, { ...KEPT, 'surrogate-key': tags[n - 1] }).end(),
      { tags: 'surrogate-key' },
    );
    for (const path of ['/1', '/2', '/3', '/4']) await call(gateway, path);
    await purge('tag', 'sHOES');
    expect(await hits(gateway, '/1', '/2', '/3', '/4')).toEqual(['/3', '/4']);
  });

  it('by tag also works where the route takes the tags out of responses', async () => {
    const upstream = await harness.upstream((_request, response) =>
      response.writeHead(200, { ...KEPT, 'surrogate-key': 'shoes' }).end(),
    );
    const gateway = await harness.gateway(gatewayOfYaml(upstream.url, TAGS_HIDDEN));
    const replies = [await call(gateway, '/'), await call(gateway, '/')];
    expect(replies.map(({ headers }) => headers['surrogate-key'])).toEqual([undefined, undefined]);
    expect(await hits(gateway, '/')).toEqual(['/']);
    await purge('tag', 'shoes');
    expect(await hits(gateway, '/')).toEqual([]);
  });

  it('by tag knows the tags that a 304 brought', async () => {
    const { gateway } = await cached(
      harness,
      (_request, response, n) =>
        n === 1
          ? response
              .writeHead(200, { 'cache-control': 'max-age=0', etag: '"1"', 'cache-tag': 'old' })
              .end('a')
          : response.writeHead(304, { ...KEPT, 'cache-tag': 'new' }).end(),
      { tags: 'cache-tag' },
    );
    await call(gateway, '/');
    expect((await call(gateway, '/')).body).toBe('a');
    await purge('tag', 'old');
    expect(await hits(gateway, '/')).toEqual(['/']);
    await purge('tag', 'new');
    expect(await hits(gateway, '/')).toEqual([]);
  });

  it('does not keep what has more tags than it remembers', async () => {
    const many = Array.from({ length: 257 }, (_, n) => `t${n}`).join(' ');
    const { gateway } = await cached(harness, numbered({ ...KEPT, 'cache-tag': many }), {
      tags: 'cache-tag',
    });
    expect(status(await call(gateway, '/'))).toBe('sluice; fwd=uri-miss');
    expect(await hits(gateway, '/')).toEqual([]);
  });

  it('of one service leaves the others alone', async () => {
    const { gateway } = await cached(harness, numbered(KEPT));
    await call(gateway, '/a');
    await purge('prefix', '/', 'search');
    expect(await hits(gateway, '/a')).toEqual(['/a']);
    await purge('prefix', '/', 'shop');
    expect(await hits(gateway, '/a')).toEqual([]);
  });
});

describe('what is being fetched while a purge comes', () => {
  /** An upstream that answers when told. */
  async function slow(policy: Parameters<typeof cached>[2] = {}) {
    const waiting: ServerResponse[] = [];
    const made = await cached(harness, (_request, response) => waiting.push(response), policy);
    const next = () => eventually(() => waiting.shift());
    return { ...made, next };
  }

  it('reaches who asked and is not stored, when its head was still to come', async () => {
    const { gateway, next } = await slow();
    const reply = call(gateway, '/a');
    const response = await next();
    await purge('prefix', '/');
    response.writeHead(200, KEPT).end('old');
    expect((await reply).body).toBe('old');
    expect(status(await reply)).toBe('sluice; fwd=uri-miss');
    expect(await hits(gateway, '/a')).toEqual([]);
  });

  it('is not stored when its body was still to come', async () => {
    const { gateway, next } = await slow({ tags: 'cache-tag' });
    const reply = request(`http://127.0.0.1:${portOf(gateway)}/a`);
    const response = await next();
    response.writeHead(200, { ...KEPT, 'cache-tag': 'news' }).write('ol');
    const { body } = await reply;
    await purge('tag', 'news');
    response.end('d');
    expect(await body.text()).toBe('old');
    expect(await hits(gateway, '/a')).toEqual([]);
  });

  it('is stored when the purge was of something else', async () => {
    const { gateway, next } = await slow();
    const reply = call(gateway, '/a');
    const response = await next();
    await purge('url', '/b');
    response.writeHead(200, KEPT).end('good');
    await reply;
    expect(await hits(gateway, '/a')).toEqual(['/a']);
  });

  it('does not come back by a 304, nor stand in for an error', async () => {
    const { gateway, next } = await slow();
    const first = call(gateway, '/a');
    (await next())
      .writeHead(200, { 'cache-control': 'max-age=0, stale-if-error=60', etag: '"1"' })
      .end('old');
    await first;
    const second = call(gateway, '/a');
    const validating = await next();
    await purge('url', '/a');
    validating.writeHead(304, KEPT).end();
    await second;
    expect(await hits(gateway, '/a')).toEqual([]);

    const third = call(gateway, '/a');
    (await next())
      .writeHead(200, { 'cache-control': 'max-age=0, stale-if-error=60', etag: '"1"' })
      .end('old');
    await third;
    const fourth = call(gateway, '/a');
    const failing = await next();
    await purge('url', '/a');
    failing.writeHead(500).end('no');
    expect((await fourth).status).toBe(500);
  });

  it('sends who waited for it to the upstream themselves', async () => {
    const { gateway, next } = await slow();
    const leader = call(gateway, '/a');
    const response = await next();
    const follower = call(gateway, '/a');
    const inFlight = async () =>
      (await admin(gateway, '/metrics')).body.includes('sluice_requests_in_flight 2');
    while (!(await inFlight()));
    await purge('url', '/a');
    response.writeHead(200, KEPT).end('old');
    await leader;
    (await next()).writeHead(200, KEPT).end('new');
    expect((await follower).body).toBe('new');
    expect(await hits(gateway, '/a')).toEqual(['/a']);
  });
});
