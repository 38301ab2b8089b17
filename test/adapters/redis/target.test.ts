import { describe, expect, it } from 'vitest';
import { retryDelayMs } from '../../../src/adapters/redis/connect.ts';
import { parseRedisUrl } from '../../../src/adapters/redis/target.ts';

const open = { tls: false, username: undefined, password: undefined };

describe('parseRedisUrl', () => {
  it('reads a single server, with defaults', () => {
    expect(parseRedisUrl('redis://localhost')).toEqual({
      kind: 'single',
      ...open,
      text: 'redis://localhost',
      address: { host: 'localhost', port: 6379 },
      db: 0,
    });
    expect(parseRedisUrl('rediss://[::1]:7000/5')).toMatchObject({
      tls: true,
      address: { host: '::1', port: 7000 },
      db: 5,
    });
  });

  it('decodes user and password and leaves them out of the text', () => {
    const target = parseRedisUrl('redis://me:p%40ss%3A%2F@localhost:1');
    expect(target).toMatchObject({ username: 'me', password: 'p@ss:/', text: 'redis://localhost:1' });
    expect(parseRedisUrl('redis://:only-password@localhost')).toMatchObject({
      username: undefined,
      password: 'only-password',
    });
  });

  it('reads sentinels with the name of the master', () => {
    expect(parseRedisUrl('redis+sentinel://:pw@a:1,b/main/2')).toEqual({
      kind: 'sentinel',
      ...open,
      password: 'pw',
      text: 'redis+sentinel://a:1,b',
      sentinels: [
        { host: 'a', port: 1 },
        { host: 'b', port: 26_379 },
      ],
      master: 'main',
      db: 2,
    });
  });

  it('reads the nodes of a cluster', () => {
    expect(parseRedisUrl('rediss+cluster://a:1,b:2')).toEqual({
      kind: 'cluster',
      ...open,
      tls: true,
      text: 'rediss+cluster://a:1,b:2',
      nodes: [
        { host: 'a', port: 1 },
        { host: 'b', port: 2 },
      ],
    });
  });

  it.each([
    ['http://localhost', 'none of the forms'],
    ['redis://', 'none of the forms'],
    ['redis://a,b', 'several hosts'],
    ['redis://a:0', '"a:0" is not a host and port'],
    ['redis://a:70000', '"a:70000" is not a host and port'],
    ['redis://a/one', '"one" is not a database number'],
    ['redis://a/1/2', 'only a database number'],
    ['redis://%E0%A4%A:x@a', 'not percent-encoded'],
    ['redis+sentinel://a', 'master’s name'],
    ['redis+cluster://a/1', 'no database number'],
  ])('refuses %s and says why', (url, why) => {
    expect(() => parseRedisUrl(url)).toThrowError(expect.objectContaining({ code: 'BAD_REQUEST' }));
    expect(() => parseRedisUrl(url)).toThrowError(why);
  });
});

describe('retryDelayMs', () => {
  it('grows from about 50 ms to at most 2.5 s', () => {
    expect(retryDelayMs(1)).toBeLessThanOrEqual(63);
    for (const attempt of [1, 2, 5, 10, 1000]) {
      expect(retryDelayMs(attempt)).toBeGreaterThanOrEqual(37);
      expect(retryDelayMs(attempt)).toBeLessThanOrEqual(2500);
    }
    expect(retryDelayMs(1000)).toBeGreaterThanOrEqual(1500);
  });
});
