import { describe, expect, it } from 'vitest';
import {
  clientAddress,
  compileTrust,
  forwardedElement,
  plainAddress,
  readForwarded,
} from '../../src/gateway/forwarded.ts';

const trust = compileTrust(['10.0.0.0/8', '192.0.2.1', '2001:db8::/32']);

describe('compileTrust', () => {
  it('trusts single addresses and ranges of both families', () => {
    expect(['10.1.2.3', '192.0.2.1', '2001:db8::7'].every(trust)).toBe(true);
    expect(['11.0.0.1', '192.0.2.2', '2001:db9::7', '', 'nonsense'].some(trust)).toBe(false);
  });

  it.each(['10.0.0.0/33', 'nonsense', '10.0.0/8', '::1/129', '10.0.0.0/-1', '10.0.0.0/'])(
    'refuses %s',
    (entry) => {
      expect(() => compileTrust([entry])).toThrow(RangeError);
    },
  );
});

describe('clientAddress', () => {
  it.each([
    ['203.0.113.9', '203.0.113.9'],
    ['6.6.6.6, 203.0.113.9', '203.0.113.9'],
    ['6.6.6.6, 203.0.113.9, 10.0.0.2', '203.0.113.9'],
    ['10.0.0.3, 10.0.0.2', '10.0.0.3'],
    ['203.0.113.9, nonsense, 10.0.0.2', '10.0.0.2'],
    ['203.0.113.9:1234', '203.0.113.9'],
    ['[2001:db9::1]:443', '2001:db9::1'],
    ['2001:db9::1', '2001:db9::1'],
    ['::ffff:203.0.113.9', '203.0.113.9'],
    ['', '10.0.0.1'],
  ])('of X-Forwarded-For "%s" is %s', (forwardedFor, client) => {
    expect(clientAddress('10.0.0.1', forwardedFor, trust)).toBe(client);
  });

  it('looks at a bounded number of hops', () => {
    expect(clientAddress('10.0.0.1', `6.6.6.6,${'10.0.0.2,'.repeat(100)}10.0.0.3`, trust)).toBe('10.0.0.2');
  });
});

describe('readForwarded', () => {
  it.each([
    ['for=203.0.113.9', '203.0.113.9'],
    ['for=6.6.6.6, for=203.0.113.9, for=10.0.0.2', '203.0.113.9'],
    ['for="203.0.113.9:1234", for="[2001:db8::1]:_port"', '203.0.113.9'],
    ['for="[2001:db9::1]:443"', '2001:db9::1'],
    ['for="[::ffff:203.0.113.9]"', '203.0.113.9'],
    // Whoever names no address is known by the hop that says so.
    ['for=203.0.113.9, for=unknown, for=10.0.0.2', '10.0.0.2'],
    ['for=203.0.113.9, for=_hidden', '10.0.0.1'],
    ['for=203.0.113.9, proto=https', '10.0.0.1'],
    ['for="2001:db9::1"', '10.0.0.1'],
    ['for=203.0.113.999', '10.0.0.1'],
    // A client cannot make what its proxy adds unreadable.
    ['for="6.6.6.6, for=203.0.113.9', '203.0.113.9'],
    ['nonsense', '10.0.0.1'],
  ])('finds the client of "%s": %s', (field, client) => {
    expect(clientAddress('10.0.0.1', readForwarded(field, trust).addresses, trust)).toBe(client);
  });

  it('takes protocol and host from the element of the client, and leaves out what is malformed', () => {
    const field =
      '=, for=6.6.6.6;proto=gopher, for=203.0.113.9;proto=https;host=a, for=10.0.0.2;proto=http;host=b';
    expect(readForwarded(field, trust)).toEqual({
      field: field.slice(3),
      addresses: '6.6.6.6, 203.0.113.9, 10.0.0.2',
      proto: 'https',
      host: 'a',
    });
  });
});

describe('addresses', () => {
  it('are plain where a socket maps IPv4 into IPv6, and quoted in Forwarded where they hold colons', () => {
    expect(plainAddress('::ffff:192.0.2.1')).toBe('192.0.2.1');
    expect(plainAddress('::ffff:c000:201')).toBe('192.0.2.1');
    expect(plainAddress('0:0:0:0:0:ffff:c000:0201')).toBe('192.0.2.1');
    expect(plainAddress('2001:db8::1')).toBe('2001:db8::1');
    expect(plainAddress('2001:db8::ffff:1:2')).toBe('2001:db8::ffff:1:2');
    expect(forwardedElement('2001:db8::1', 'a:80', 'http')).toBe(
      'for="[2001:db8::1]";host="a:80";proto=http',
    );
  });
});
