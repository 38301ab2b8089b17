import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { loadGatewayConfig } from '../../src/config/gateway-config.ts';

function load(text: string) {
  return loadGatewayConfig({ name: 'gateway.yaml', text, absolutePath: '/srv/gateway.yaml' });
}

describe('upgrade', () => {
  const yaml = (service: string, route: string) => `listeners: [{ address: 127.0.0.1:8080 }]
services:
  chat:
    versions: { v1: { endpoints: [http://127.0.0.1:9001] } }
    ${service}
policies:
  live: { upgrade: [websocket] }
routes:
  - name: chat
    match: { prefix: / }
    service: chat
    ${route}
`;

  it('is inherited from a policy, replaced and switched off by a route', () => {
    const upgradeOf = (route: string) => load(yaml('salt: x', route)).value?.routes[0]?.upgrade;
    expect(upgradeOf('policy: live')).toEqual(new Set(['websocket']));
    expect(upgradeOf('policy: live\n    upgrade: [mqtt]')).toEqual(new Set(['mqtt']));
    expect(upgradeOf('policy: live\n    upgrade: false')).toBeNull();
    expect(upgradeOf('maxBodyBytes: 5')).toBeNull();
  });

  it('does not go with a service that speaks HTTP/2', () => {
    const { diagnostics } = load(yaml('protocol: h2', 'policy: live'));
    expect(diagnostics).toMatchObject([
      {
        severity: 'error',
        message: 'upgrade needs HTTP/1.1, but version "v1" of its service speaks h2',
        line: 9,
        column: 11,
      },
    ]);
  });
});

describe('transcode', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-proto-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  const SOUND = `syntax = "proto3";
package shop;
message Order { string id = 1; }
service Orders {
  rpc Get(Order) returns (Order) { option (google.api.http).get = "/orders/{id}"; }
  rpc Send(stream Order) returns (Order);
}
`;

  function findings(proto: string, more = '', rest = 'protocol: h2') {
    writeFileSync(join(folder, 'orders.proto'), proto);
    const text = `listeners: [{ address: 127.0.0.1:8080 }]
services:
  orders:
    versions: { v1: { endpoints: [http://127.0.0.1:9001] } }
    ${rest}
routes:
  - name: orders
    match: { prefix: / }
    service: orders
    transcode:
      proto: orders.proto
      ${more}
`;
    const file = { name: 'gateway.yaml', text, absolutePath: join(folder, 'gateway.yaml') };
    const { value, diagnostics } = loadGatewayConfig(file, { namedFiles: true });
    return { value, found: diagnostics.map(({ line, column, message }) => `${line}:${column} ${message}`) };
  }

  it('finds nothing wrong with a sound file, whose path becomes absolute', () => {
    const { value, found } = findings(SOUND);
    expect(found).toEqual([]);
    expect(value?.routes[0]?.transcode?.proto).toBe(join(folder, 'orders.proto'));
  });

  it.each([
    [
      'a syntax error, with its line',
      SOUND.replace('string id = 1', 'string = 1'),
      '',
      /^11:14 orders\.proto:3: illegal/,
    ],
    [
      'an unknown type',
      SOUND.replace('string id', 'Strang id'),
      '',
      /^11:14 orders\.proto: no such Type or Enum 'Strang'/,
    ],
    ['an import that is missing', `${SOUND}import "none.proto";\n`, '', /^11:14 none\.proto cannot be read/],
    [
      'a template with an unknown field',
      SOUND.replace('{id}', '{nr}'),
      '',
      /^11:14 shop\.Orders\/Get: Order has no field "nr"/,
    ],
    [
      'a bad template',
      SOUND.replace('/orders/{id}', 'orders'),
      '',
      /^11:14 shop\.Orders\/Get: "orders" is no path template/,
    ],
    ['no rule at all', SOUND.replace(/option.*; /, ''), '', /^11:14 orders\.proto: no method has/],
    [
      'an unknown service',
      SOUND,
      'services: [shop.Users]',
      /^11:14 orders\.proto has no service "shop.Users"/,
    ],
    [
      'a mapping of an unknown method',
      SOUND,
      "methods: { shop.Orders/Put: { get: '/x' } }",
      /^12:18 there is no method "Put"/,
    ],
    [
      'a mapping of a method that takes a stream',
      SOUND,
      "methods: { shop.Orders/Send: { post: '/x', body: '*' } }",
      /^12:18 shop\.Orders\/Send takes a stream/,
    ],
    [
      'a mapping to nothing',
      SOUND,
      "methods: { shop.Orders/Get: { body: '*' } }",
      /^12:\d+ expected one of get, put/,
    ],
    [
      'a streamed body beside it',
      SOUND,
      "\n    json: { request: { stream: '[*]' } }",
      /^13:24 a request that becomes a gRPC call is read whole/,
    ],
    ['a cache beside it', SOUND, '\n    cache: {}', /^7:11 answers to transcoded calls cannot be cached/],
  ])('finds %s', (_case, proto, more, expected) => {
    const { value, found } = findings(proto, more);
    expect(value).toBeNull();
    expect(found[0]).toMatch(expected);
  });

  it('needs HTTP/2', () => {
    expect(findings(SOUND, '', 'salt: x').found[0]).toMatch(/^7:11 transcode needs HTTP\/2/);
  });
});
