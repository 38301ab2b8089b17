import { describe, expect, it } from 'vitest';
import type { PathMatch } from '../../src/config/gateway-model.ts';
import type { Routable } from '../../src/gateway/route-table.ts';
import { compileRouter } from '../../src/gateway/router.ts';

interface Named extends Routable {
  readonly name: string;
}

function route(
  name: string,
  kind: PathMatch['kind'],
  path: string,
  methods: readonly string[] | null = null,
  host: string | null = null,
): Named {
  return { name, methods, host, path: { kind, path }, conditions: [] };
}

function found(routes: readonly Named[], method: string, path: string, host = 'any.test'): unknown {
  const result = compileRouter(routes)(method, host, path, { headers: {} });
  return result.kind === 'found' ? result.route.name : result;
}

describe('compileRouter', () => {
  const routes = [
    route('root', 'prefix', '/'),
    route('orders', 'prefix', '/orders'),
    route('orders-deep', 'prefix', '/orders/archive/'),
    route('order', 'template', '/orders/{id}'),
    route('order-items', 'template', '/orders/{id}/items'),
    route('new-order', 'exact', '/orders/new'),
  ];

  it.each([
    ['/orders/new', 'new-order'],
    ['/orders/17', 'order'],
    ['/orders/17/items', 'order-items'],
    ['/orders/new/items', 'order-items'],
    ['/orders/17/other', 'orders'],
    ['/orders', 'orders'],
    ['/orders/', 'orders'],
    ['/orders/archive/2020', 'orders-deep'],
    ['/ordersX', 'root'],
    ['/', 'root'],
  ])('routes %s to %s: exact before template before longest prefix', (path, name) => {
    expect(found(routes, 'GET', path)).toBe(name);
  });

  it('prefers a template to a longer prefix', () => {
    const both = [route('prefix', 'prefix', '/a/b'), route('template', 'template', '/a/{x}/c')];
    expect(found(both, 'GET', '/a/b/c')).toBe('template');
  });

  it('goes back to a parameter when a literal leads nowhere', () => {
    const both = [route('literal', 'template', '/a/b/{x}/d'), route('parameter', 'template', '/a/{y}/c/e')];
    expect(found(both, 'GET', '/a/b/c/e')).toBe('parameter');
  });

  it('prefers routes of the host to routes of any host', () => {
    const both = [route('any', 'exact', '/a'), route('host', 'prefix', '/', null, 'shop.test')];
    expect(found(both, 'GET', '/a', 'shop.test')).toBe('host');
    expect(found(both, 'GET', '/a', 'other.test')).toBe('any');
  });

  it('falls back from a route of the host that does not match to one of any host', () => {
    const both = [route('any', 'exact', '/a'), route('host', 'exact', '/b', null, 'shop.test')];
    expect(found(both, 'GET', '/a', 'shop.test')).toBe('any');
  });

  it('goes on to a less specific route that accepts the method', () => {
    const both = [route('read', 'exact', '/a', ['GET']), route('rest', 'prefix', '/a')];
    expect(found(both, 'GET', '/a')).toBe('read');
    expect(found(both, 'POST', '/a')).toBe('rest');
  });

  it('serves HEAD where it serves GET', () => {
    expect(found([route('read', 'exact', '/a', ['GET'])], 'HEAD', '/a')).toBe('read');
  });

  it('lists the allowed methods of all matching routes when none accepts the method', () => {
    const both = [route('read', 'exact', '/a', ['GET']), route('write', 'prefix', '/a', ['POST'])];
    expect(found(both, 'DELETE', '/a')).toEqual({
      kind: 'method-not-allowed',
      allow: ['GET', 'HEAD', 'POST'],
      vary: null,
    });
  });

  it('knows no route for what nothing matches, whatever its name', () => {
    for (const path of ['/', '/ab', '/__proto__', '/constructor', '/a/b']) {
      expect(found([route('a', 'exact', '/a')], 'GET', path)).toEqual({ kind: 'unknown', vary: null });
    }
  });

  it('does not take an empty segment for a parameter', () => {
    expect(found([route('order', 'template', '/orders/{id}')], 'GET', '/orders/')).toEqual({
      kind: 'unknown',
      vary: null,
    });
  });
});
