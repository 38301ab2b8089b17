import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CachePolicy } from '../../src/config/gateway-model.ts';
import { cached, numbered } from '../support/caching-gateway.ts';
import { call, GatewayHarness, type Reply } from '../support/gateway-harness.ts';

let harness: GatewayHarness;

beforeEach(async () => {
  harness = await GatewayHarness.open();
});

afterEach(() => harness.close());

const cookies = (...replies: readonly Reply[]) => replies.map(({ headers }) => headers['set-cookie']);

describe('a response that sets a cookie', () => {
  it.each<[string, Partial<CachePolicy>, Record<string, string>]>([
    ['names a lifetime', {}, { 'cache-control': 'max-age=60' }],
    ['names a lifetime of browsers', {}, { expires: new Date(Date.now() + 60_000).toUTCString() }],
    ['is old enough for a guess', {}, { 'last-modified': 'Mon, 01 Jan 2024 00:00:00 GMT' }],
    ['gets its lifetime from the route', { ttlMs: 60_000 }, { 'cache-control': 'max-age=60' }],
  ])('is not stored where it %s', async (_what, policy, fields) => {
    const answer = numbered({ ...fields, 'set-cookie': 'session=ann' });
    const { gateway, calls } = await cached(harness, answer, policy);
    await call(gateway, '/');
    expect([(await call(gateway, '/')).body, calls()]).toEqual(['call 2', 2]);
  });

  it.each<Record<string, string>>([
    { 'cache-control': 'public, max-age=60' },
    { 'cache-control': 's-maxage=60' },
    { 'cache-control': 'no-store', 'cdn-cache-control': 'max-age=60' },
  ])('is stored with it where it says that it is for all: %o', async (fields) => {
    const answer = numbered({ ...fields, 'set-cookie': 'theme=dark' });
    const { gateway, calls } = await cached(harness, answer);
    const replies = [await call(gateway, '/'), await call(gateway, '/')];
    expect([...cookies(...replies), calls()]).toEqual(['theme=dark', 'theme=dark', 1]);
  });

  it.each<[string, Partial<CachePolicy>, string]>([
    ['the response withholds the field', {}, 'max-age=60, private="set-cookie"'],
    ['the policy strips it', { setCookie: 'strip' }, 'max-age=60'],
    ['the policy strips it and sets the lifetime', { setCookie: 'strip', ttlMs: 60_000 }, 'max-age=0'],
  ])('is stored without it where %s', async (_what, policy, cacheControl) => {
    const answer = numbered({ 'cache-control': cacheControl, 'set-cookie': 'session=ann' });
    const { gateway, calls } = await cached(harness, answer, policy);
    const replies = [await call(gateway, '/'), await call(gateway, '/')];
    expect([...cookies(...replies), calls()]).toEqual(['session=ann', undefined, 1]);
  });

  it('is stored by its lifetime alone where the policy says so', async () => {
    const answer = numbered({ 'cache-control': 'max-age=60', 'set-cookie': 'session=ann' });
    const { gateway, calls } = await cached(harness, answer, { setCookie: 'keep' });
    const replies = [await call(gateway, '/'), await call(gateway, '/')];
    expect([...cookies(...replies), calls()]).toEqual(['session=ann', 'session=ann', 1]);
  });

  it('as it confirms a stored one gives it to who asked, and to nobody after', async () => {
    const { gateway, calls } = await cached(harness, (request, response) => {
      const etag = '"a"';
      if (request.headers['if-none-match'] === undefined)
        response.writeHead(200, { etag, 'cache-control': 'max-age=0' }).end('for all');
      else
        response.writeHead(304, { etag, 'cache-control': 'max-age=60', 'set-cookie': 'session=ann' }).end();
    });
    const replies = [];
    for (let i = 0; i < 3; i += 1) replies.push(await call(gateway, '/'));
    expect(replies.map(({ body }) => body)).toEqual(Array(3).fill('for all'));
    expect([...cookies(...replies), calls()]).toEqual([undefined, 'session=ann', undefined, 2]);
  });
});
