import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MAX_PROXY_HEADER_BYTES, parseProxyHeader } from '../../src/gateway/listeners/proxy-header.ts';
import { proxyV2 } from '../support/proxy-header.ts';

const V4 = [203, 0, 113, 9, 10, 0, 0, 1, 0x12, 0x34, 0x01, 0xbb];
const V6 = [0x20, 1, 0xd, 0xb8, ...Array(11).fill(0), 7, ...Array(20).fill(1)];

describe('a PROXY header', () => {
  it.each<[string, string | null]>([
    ['PROXY TCP4 203.0.113.9 10.0.0.1 4660 443\r\n', '203.0.113.9'],
    ['PROXY TCP6 2001:db8::7 ::1 4660 443\r\n', '2001:db8::7'],
    ['PROXY UNKNOWN\r\n', null],
    ['PROXY UNKNOWN what ever 1\r\n', null],
  ])('of version 1: %j', (text, source) => {
    expect(parseProxyHeader(Buffer.from(`${text}GET /`))).toEqual({ length: text.length, source });
  });

  it.each<[string, Buffer, string | null]>([
    ['IPv4', proxyV2({ bytes: V4 }), '203.0.113.9'],
    ['IPv6', proxyV2({ family: 0x21, bytes: V6 }), '2001:db8::7'],
    ['IPv4 and extra values', proxyV2({ bytes: [...V4, 4, 0, 1, 0] }), '203.0.113.9'],
    ['LOCAL', proxyV2({ command: 0x20, family: 0, bytes: [] }), null],
    ['LOCAL with addresses', proxyV2({ command: 0x20, bytes: V4 }), null],
    ['an unspecified family', proxyV2({ family: 0, bytes: [1, 2, 3] }), null],
  ])('of version 2: %s', (_, header, source) => {
    expect(parseProxyHeader(Buffer.concat([header, Buffer.from('GET /')]))).toEqual({
      length: header.length,
      source,
    });
  });

  it.each<[string, Buffer | string]>([
    ['a request', 'GET / HTTP/1.1\r\n'],
    ['TLS', Buffer.from([0x16, 3, 1])],
    ['another protocol', 'PROXY TCP5 203.0.113.9 10.0.0.1 1 2\r\n'],
    ['an address of the other family', 'PROXY TCP4 ::1 ::1 1 2\r\n'],
    ['no address', 'PROXY TCP4 203.0.113 10.0.0.1 1 2\r\n'],
    ['a port too many', 'PROXY TCP4 203.0.113.9 10.0.0.1 1 2 3\r\n'],
    ['a port out of range', 'PROXY TCP4 203.0.113.9 10.0.0.1 1 65536\r\n'],
    ['a port with zeros', 'PROXY TCP4 203.0.113.9 10.0.0.1 01 2\r\n'],
    ['two spaces', 'PROXY  TCP4 203.0.113.9 10.0.0.1 1 2\r\n'],
    ['a line without end', `PROXY UNKNOWN ${'x'.repeat(100)}`],
    ['version 3', proxyV2({ command: 0x31, bytes: V4 })],
    ['an unknown command', proxyV2({ command: 0x22, bytes: V4 })],
    ['datagrams', proxyV2({ family: 0x12, bytes: V4 })],
    ['a Unix socket', proxyV2({ family: 0x31, bytes: V4 })],
    ['too few bytes for its addresses', proxyV2({ bytes: V4.slice(1) })],
    ['too many bytes', proxyV2({ bytes: Array(MAX_PROXY_HEADER_BYTES - 15).fill(0) }).subarray(0, 16)],
  ])('is not %s', (_, bytes) => {
    expect(parseProxyHeader(Buffer.from(bytes as string))).toBe('malformed');
  });

  it('means the same however it arrives, and never more bytes than there are', () => {
    const whole = [
      Buffer.from('PROXY TCP6 2001:db8::7 ::1 4660 443\r\n'),
      proxyV2({ bytes: V4 }),
      proxyV2({ family: 0x21, bytes: [...V6, 1, 2, 3] }),
    ];
    for (const header of whole) {
      for (let end = 0; end < header.length; end += 1)
        expect(parseProxyHeader(header.subarray(0, end))).toBe('partial');
      expect(parseProxyHeader(header)).toMatchObject({ length: header.length });
    }
    const start = fc.constantFrom('', 'PROXY ', 'PROXY TCP4 ', '\r\n\r\n\0\r\nQUIT\n!');
    fc.assert(
      fc.property(start, fc.uint8Array({ maxLength: 300 }), (text, rest) => {
        const bytes = Buffer.concat([Buffer.from(text, 'latin1'), rest]);
        const header = parseProxyHeader(bytes);
        if (typeof header === 'object') expect(header.length).toBeLessThanOrEqual(bytes.length);
      }),
    );
  });
});
