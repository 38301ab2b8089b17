import { describe, expect, it } from 'vitest';
import {
  decodeGrpcMessage,
  encodeGrpcMessage,
  grpcOfHttp,
  httpOfGrpc,
  isGrpc,
  parseGrpcStatus,
  parseGrpcTimeout,
} from '../../../../src/core/policy/grpc/status.ts';

describe('codes of gRPC', () => {
  it.each([
    [0, 200],
    [1, 499],
    [2, 500],
    [4, 504],
    [5, 404],
    [8, 429],
    [12, 501],
    [13, 500],
    [14, 503],
    [16, 401],
    [17, 500],
    [999, 500],
  ])('%i is %i in terms of HTTP', (code, status) => expect(httpOfGrpc(code)).toBe(status));

  it.each([
    [401, 16],
    [404, 12],
    [429, 8],
    [502, 14],
    [504, 4],
    [418, 2],
    [599, 13],
  ])('a %i of the gateway is %i', (status, code) => expect(grpcOfHttp(status)).toBe(code));

  it.each([
    ['0', 0],
    ['14', 14],
    ['', 2],
    [undefined, 2],
    ['-1', 2],
    ['0x1', 2],
  ])('reads %j as %i', (text, code) => expect(parseGrpcStatus(text)).toBe(code));
});

it.each([
  ['1S', 1_000],
  ['250m', 250],
  ['2H', 7_200_000],
  ['5000u', 5],
  ['123456789S', undefined],
  ['S', undefined],
  ['1s', undefined],
  [undefined, undefined],
])('a deadline of %j is %j milliseconds', (text, expected) => expect(parseGrpcTimeout(text)).toBe(expected));

it('messages survive their encoding, and a broken one is taken as it is', () => {
  for (const text of ['plain', '50 % off', 'zwölf\r\nX: y', '漢字']) {
    expect(encodeGrpcMessage(text)).toMatch(/^[\x20-\x7e]*$/);
    expect(decodeGrpcMessage(encodeGrpcMessage(text))).toBe(text);
  }
  expect(decodeGrpcMessage('%zz')).toBe('%zz');
});

it('gRPC-Web is another protocol', () => {
  expect(
    ['application/grpc', 'application/grpc+proto', 'application/grpc-web', 'application/json', undefined].map(
      isGrpc,
    ),
  ).toEqual([true, true, false, false, false]);
});
