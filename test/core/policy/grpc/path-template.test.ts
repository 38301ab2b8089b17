import { describe, expect, it } from 'vitest';
import { compilePathTemplate } from '../../../../src/core/policy/grpc/path-template.ts';

describe('compilePathTemplate', () => {
  it.each([
    ['/v1/orders/{id}', '/v1/orders/a%20b', ['a b']],
    ['/v1/orders/{id}', '/v1/orders/a/b', undefined],
    ['/v1/orders/{id}', '/v1/orders/', undefined],
    ['/v1/{name=shelves/*/books/*}', '/v1/shelves/1/books/2', ['shelves/1/books/2']],
    ['/v1/{name=files/**}', '/v1/files/a/b/c', ['files/a/b/c']],
    ['/v1/orders/{id}:cancel', '/v1/orders/7:cancel', ['7']],
    ['/v1/orders/{id}', '/v1/orders/7:cancel', undefined],
    ['/v1/*/x', '/v1/any/x', []],
    ['/v1/a.b', '/v1/aXb', undefined],
    ['/v1/{id}', '/v1/%zz', undefined],
  ])('%s of %s gives %j', (template, path, expected) => {
    expect(compilePathTemplate(template)?.match(path)).toEqual(expected);
  });

  it.each(['v1', '/v1/{', '/v1/{id', '/v1/{1}', '/v1/{a={b}}', '/v 1'])('%s is none', (text) => {
    expect(compilePathTemplate(text)).toBeUndefined();
  });
});
