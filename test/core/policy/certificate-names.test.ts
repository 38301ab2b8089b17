import { describe, expect, it } from 'vitest';
import {
  isCertificateAllowed,
  matchesHost,
  parseIdentity,
} from '../../../src/core/policy/certificate-names.ts';

describe('names of certificates', () => {
  it.each([
    ['shop.test', 'SHOP.test', true],
    ['*.shop.test', 'a.shop.test', true],
    ['*.shop.test', 'shop.test', false],
    ['*.shop.test', 'a.b.shop.test', false],
    ['*.shop.test', '.shop.test', false],
    ['shop.test', 'a.shop.test', false],
    ['*', 'shop', false],
  ])('%s for %s: %s', (pattern, host, expected) => {
    expect(matchesHost(pattern, host)).toBe(expected);
  });

  it('reads alternative names, also quoted ones that try to pass for others', () => {
    const text = 'DNS:a.test, IP Address:192.0.2.1, URI:"spiffe://x, DNS:admin.test", email:a@b.test';
    expect(parseIdentity('', text).altNames).toEqual([
      'DNS:a.test',
      'IP:192.0.2.1',
      'URI:spiffe://x, DNS:admin.test',
      'email:a@b.test',
    ]);
    expect(parseIdentity('', 'DNS:a.test, broken').altNames).toEqual(['DNS:a.test']);
  });

  const identity = parseIdentity(
    'C=DE\nO=Shop\\, Inc\nCN=orders',
    'DNS:orders.jobs.test, URI:spiffe://test/orders',
  );

  it.each([
    [{ subjects: [], altNames: [] }, true],
    [{ subjects: ['CN=orders'], altNames: [] }, true],
    [{ subjects: ['CN=orders,O=Shop\\, Inc'], altNames: [] }, true],
    [{ subjects: ['CN=orders, O=Other'], altNames: [] }, false],
    [{ subjects: ['CN=order'], altNames: [] }, false],
    [{ subjects: ['CN=x'], altNames: ['DNS:*.jobs.test'] }, true],
    [{ subjects: [], altNames: ['URI:spiffe://test/orders'] }, true],
    [{ subjects: [], altNames: ['URI:spiffe://test'] }, false],
  ])('%j allows orders: %s', (allow, expected) => {
    expect(isCertificateAllowed(identity, allow)).toBe(expected);
  });
});
