import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadGatewayConfig } from '../../src/config/gateway-config.ts';
import { lintPaths } from '../../src/config/lint-paths.ts';
import { createAuthority } from '../support/certificates.ts';

const REST = `services: { orders: { versions: { v1: { endpoints: [http://127.0.0.1:9001] } } } }
routes: [{ name: orders, match: { prefix: / }, service: orders }]
`;

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-'));
});

afterEach(() => rmSync(folder, { recursive: true }));

function load(listener: string) {
  const text = `listeners: [{ address: ':8443', ${listener} }]\n${REST}`;
  const file = { name: 'gateway.yaml', text, absolutePath: '/srv/proxy/gateway.yaml' };
  const { value, diagnostics } = loadGatewayConfig(file);
  expect(diagnostics).toEqual([]);
  return value?.listeners[0];
}

const TLS = 'tls: { certificates: [{ cert: c/a.pem, key: /keys/a }] }';

describe('listeners', () => {
  it('have absolute paths and defaults', () => {
    expect(load(`${TLS}, hsts: true`)).toMatchObject({
      tls: {
        certificates: [{ cert: '/srv/proxy/c/a.pem', key: '/keys/a' }],
        minVersion: 'TLSv1.2',
        clientCertificates: null,
      },
      hsts: 'max-age=31536000',
      redirectPort: null,
    });
  });

  it.each([
    [
      `${TLS}, hsts: { maxAge: 1d, includeSubDomains: true, preload: true }`,
      'max-age=86400; includeSubDomains; preload',
    ],
    [`${TLS}, hsts: { maxAge: 0s }`, 'max-age=0'],
    [`${TLS}, hsts: false`, null],
  ])('%s gives %s', (listener, expected) => {
    expect(load(listener)?.hsts).toBe(expected);
  });

  it('say how fast clients have to send and to read', () => {
    const written = 'limits: { minBytesPerSecond: 0, grace: 1s, minReadBytesPerSecond: 9000, readGrace: 1m }';
    expect(load(written)?.limits).toMatchObject({
      minBytesPerSecond: 0,
      graceMs: 1_000,
      minReadBytesPerSecond: 9_000,
      readGraceMs: 60_000,
    });
    expect(load(TLS)?.limits).toMatchObject({ minReadBytesPerSecond: 1_000, readGraceMs: 30_000 });
  });

  it.each([
    ['redirect: https', 443],
    ['redirect: { port: 8443 }', 8443],
  ])('%s goes to port %i', (listener, port) => {
    expect(load(listener)?.redirectPort).toBe(port);
  });
});

describe('lint of certificate files', () => {
  const certificate = createAuthority().issue(['shop.test']);
  const put = (name: string, text: string): void => writeFileSync(join(folder, name), text);

  /** `line:column message` of each finding, without the folder. */
  function found(): string[] {
    const path = join(folder, 'gateway.yaml');
    const client = ', clientCertificates: { ca: ca.pem }';
    put(
      'gateway.yaml',
      `listeners:\n  - address: :8443\n    tls: { certificates: [{ cert: a.pem, key: a.key }]${client} }\n${REST}`,
    );
    const { diagnostics } = lintPaths([path], { gatewayPath: path });
    return diagnostics.map(({ line, column, severity, message }) =>
      `${line}:${column} ${severity} ${message}`.replaceAll(`${folder}/`, ''),
    );
  }

  it('finds nothing wrong with files that fit', () => {
    put('a.pem', certificate.cert);
    put('a.key', certificate.key);
    put('ca.pem', certificate.cert);
    expect(found()).toEqual([]);
  });

  it('says which are missing, at their place', () => {
    expect(found()).toEqual([
      '3:35 error cannot read a.pem: ENOENT',
      '3:47 error cannot read a.key: ENOENT',
      '3:83 error cannot read ca.pem: ENOENT',
    ]);
  });

  it('says which are no PEM, and which key is that of another certificate', () => {
    put('a.pem', certificate.cert);
    put('a.key', createAuthority().key);
    put('ca.pem', 'nonsense');
    expect(found()).toEqual([
      '3:47 error this key is not that of the certificate in a.pem',
      '3:83 error expected certificates in PEM in ca.pem',
    ]);
    put('a.key', certificate.cert);
    expect(found()[0]).toBe('3:47 error expected a private key in PEM, not encrypted in a.key');
  });
});
