import { request } from 'undici';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createEmbeddedPurgeChannel } from '../../src/adapters/embedded/purge-channel.ts';
import { type ControlApi, startControlApi } from '../../src/api/control-api.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { recordingPurges } from '../conformance/purge-channel.ts';
import { ScriptedControl } from '../support/scripted-control.ts';

let api: ControlApi;
let log: string[];
let purges: ReturnType<typeof createEmbeddedPurgeChannel>;
let heard: string[];

beforeEach(async () => {
  log = [];
  purges = createEmbeddedPurgeChannel();
  const listener = recordingPurges();
  heard = listener.heard;
  await purges.watch('gw-1', listener, new AbortController().signal);
  api = await startControlApi({
    control: new ScriptedControl([]),
    purges,
    address: { host: '127.0.0.1', port: 0 },
    tokens: [
      { name: 'dash', role: 'viewer', token: 'viewer-token-0001' },
      { name: 'ci', role: 'operator', token: 'operator-token-0002' },
    ],
    loopbackWithoutToken: false,
    logger: createLogger({
      level: 'warn',
      component: 'operator',
      destination: { write: (line) => log.push(line) },
    }),
  });
});

afterEach(() => api.close());

async function purge(body: unknown, token = 'operator-token-0002') {
  const answer = await request(`${api.url}/api/v1/cache/purge`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
    body: JSON.stringify(body),
  });
  return { status: answer.statusCode, json: JSON.parse(await answer.body.text()) };
}

describe('POST /api/v1/cache/purge', () => {
  it('publishes, says who has applied it, and leaves a line of who asked', async () => {
    expect(await purge({ tag: 'shoes', service: 'shop' })).toEqual({
      status: 200,
      json: {
        by: 'tag',
        value: 'shoes',
        service: 'shop',
        sequence: 1,
        reached: { gateways: 1, applied: 1 },
      },
    });
    expect(heard).toEqual(['1 shoes']);
    expect(JSON.parse(log.at(-1) ?? '')).toMatchObject({
      msg: 'cache purged',
      actor: 'ci',
      by: 'tag',
      value: 'shoes',
      service: 'shop',
      sequence: 1,
      request_id: expect.any(String),
    });
  });

  it('needs an operator', async () => {
    const { status, json } = await purge({ tag: 'shoes' }, 'viewer-token-0001');
    expect([status, json.code]).toEqual([403, 'FORBIDDEN']);
    expect((await purge({ tag: 'shoes' }, 'nobody')).status).toBe(401);
    expect(heard).toEqual([]);
  });

  it.each([
    [{}, 'exactly one of url, path, prefix, tag, got none'],
    [{ url: '/a', tag: 'b' }, 'exactly one of url, path, prefix, tag, got url, tag'],
    [{ url: 'a' }, 'url: expected a path such as /catalog'],
    [{ prefix: '/a?b' }, 'prefix: a prefix is of the path'],
    [{ tag: 'a b' }, 'tag: a tag has no spaces'],
    [{ path: '/a?b' }, 'path: a path is purged with every query'],
    [{ paths: ['/a'] }, 'paths'],
    [{ tag: 'a', service: 'No Name' }, 'service'],
  ])('refuses %j', async (body, detail) => {
    const { status, json } = await purge(body);
    expect([status, json.code]).toEqual([400, 'BAD_REQUEST']);
    expect(json.detail).toContain(detail);
    expect(heard).toEqual([]);
  });

  it('says so when the channel is away', async () => {
    purges.close();
    const { status, json } = await purge({ tag: 'a' });
    expect([status, json.code]).toEqual([503, 'UNAVAILABLE']);
  });
});
