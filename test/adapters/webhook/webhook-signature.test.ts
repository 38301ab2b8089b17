import { describe, expect, it } from 'vitest';
import { signature, signingKey, verifyWebhook } from '../../../src/adapters/webhook/webhook-signature.ts';

// The example of the Standard Webhooks specification.
const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const ID = 'msg_p5jXN8AQM9LWM0D4loKWxJek';
const TIMESTAMP_S = 1_614_265_330;
const BODY = '{"test": 2432232314}';
const NOW_MS = TIMESTAMP_S * 1000;
const HEADERS = {
  'webhook-id': ID,
  'webhook-timestamp': String(TIMESTAMP_S),
  'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
};

describe('webhook signatures', () => {
  it('match the specification’s example', () => {
    expect(signature(signingKey(SECRET), { id: ID, timestampS: TIMESTAMP_S, body: BODY })).toBe(
      HEADERS['webhook-signature'],
    );
    expect(verifyWebhook(SECRET, HEADERS, BODY, NOW_MS)).toEqual({ ok: true, id: ID });
  });

  it('take a key without prefix as it is', () => {
    expect(signingKey('plain text\n').toString()).toBe('plain text');
  });

  it('accept one good signature among several', () => {
    const several = `v1a,x v1,${'A'.repeat(43)}= ${HEADERS['webhook-signature']}`;
    expect(verifyWebhook(SECRET, { ...HEADERS, 'webhook-signature': several }, BODY, NOW_MS).ok).toBe(true);
  });

  it.each([
    ['another body', HEADERS, '{"test": 2432232315}'],
    ['another id', { ...HEADERS, 'webhook-id': 'msg_2' }, BODY],
    ['another time', { ...HEADERS, 'webhook-timestamp': String(TIMESTAMP_S + 1) }, BODY],
    ['no known version', { ...HEADERS, 'webhook-signature': 'v2,abc' }, BODY],
    ['a shorter signature', { ...HEADERS, 'webhook-signature': 'v1,g0hM9SsE' }, BODY],
  ])('refuse %s', (_what, headers, body) => {
    expect(verifyWebhook(SECRET, headers, body, NOW_MS)).toEqual({ ok: false, cause: 'bad-signature' });
  });

  it('refuse another key', () => {
    expect(verifyWebhook('whsec_AAAA', HEADERS, BODY, NOW_MS)).toEqual({ ok: false, cause: 'bad-signature' });
  });

  it('refuse what was signed more than five minutes ago or ahead', () => {
    const at = (offsetMs: number) => verifyWebhook(SECRET, HEADERS, BODY, NOW_MS + offsetMs);
    expect(at(300_000).ok).toBe(true);
    expect(at(300_001)).toEqual({ ok: false, cause: 'too-old' });
    expect(at(-300_000).ok).toBe(true);
    expect(at(-300_001)).toEqual({ ok: false, cause: 'too-new' });
  });

  it.each(['webhook-id', 'webhook-timestamp', 'webhook-signature'])(
    'refuse a message without %s',
    (header) => {
      const result = verifyWebhook(SECRET, { ...HEADERS, [header]: undefined }, BODY, NOW_MS);
      expect(result).toEqual({ ok: false, cause: 'missing-header' });
    },
  );

  it.each(['', '1e9', '-5', '0x10', '1614265330.5'])('refuse the timestamp "%s"', (timestamp) => {
    const headers = { ...HEADERS, 'webhook-timestamp': timestamp };
    expect(verifyWebhook(SECRET, headers, BODY, NOW_MS)).toEqual({ ok: false, cause: 'bad-timestamp' });
  });
});
