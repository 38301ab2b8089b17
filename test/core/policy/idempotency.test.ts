import { describe, expect, it } from 'vitest';
import {
  isAnswerKept,
  parseIdempotencyKey,
  takesIdempotencyKey,
} from '../../../src/core/policy/idempotency.ts';

describe('idempotency keys', () => {
  it.each([
    ['"8e03978e-40d5-43dd-bc93-6894a57f9324"', '8e03978e-40d5-43dd-bc93-6894a57f9324'],
    ['8e03978e-40d5-43dd-bc93-6894a57f9324', '8e03978e-40d5-43dd-bc93-6894a57f9324'],
    ['"with a space"', 'with a space'],
    ['a', 'a'],
    ['', undefined],
    ['""', undefined],
    ['"open', undefined],
    ['"a", "b"', undefined],
    ['a, b', undefined],
    ['two words', undefined],
    ['"ü"', undefined],
    [`"${'x'.repeat(255)}"`, 'x'.repeat(255)],
    [`"${'x'.repeat(256)}"`, undefined],
  ])('reads %j as %j', (field, key) => {
    expect(parseIdempotencyKey(field)).toBe(key);
  });

  it('protect the two methods that are not idempotent by themselves', () => {
    const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];
    expect(methods.filter(takesIdempotencyKey)).toEqual(['POST', 'PATCH']);
  });

  it('keep answers, errors too, but not those that say "try again"', () => {
    const statuses = [200, 201, 204, 301, 400, 404, 408, 409, 425, 429, 500, 501, 502, 503, 504];
    expect(statuses.filter((status) => !isAnswerKept(status))).toEqual([408, 425, 429, 502, 503, 504]);
  });
});
