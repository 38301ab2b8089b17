import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { lintPaths } from '../../src/config/lint-paths.ts';
import { createAuthority } from '../support/certificates.ts';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-named-'));
});

afterEach(() => rmSync(folder, { recursive: true }));

const put = (name: string, text: string): void => writeFileSync(join(folder, name), text);

const YAML = `listeners:
  - address: 127.0.0.1:8443
    tls: { certificates: [{ cert: pair.pem, key: pair.key }], clientCertificates: { ca: ca.pem } }
services:
  orders:
    tls: { ca: orders-ca.pem, cert: mine.pem, key: mine.key }
    versions:
      v1:
        endpoints: { file: endpoints.yaml }
      v2:
        endpoints: [https://127.0.0.1:9002, { file: more.yaml }]
        tls: { ca: v2-ca.pem }
identity:
  jwt:
    web: { issuer: i, audience: a, algorithms: [RS256], jwks: { file: keys.json } }
  apiKeys:
    partners: { file: partners.yaml }
routes:
  - { name: orders, match: { prefix: / }, service: orders, auth: { jwt: web, apiKey: partners } }
`;

/** `line:column message (hint)` of each finding, without the folder. */
function found(yaml = YAML): string[] {
  put('gateway.yaml', yaml);
  const path = join(folder, 'gateway.yaml');
  const { diagnostics } = lintPaths([path], { gatewayPath: path });
  return diagnostics
    .filter(({ severity }) => severity === 'error')
    .map(({ line, column, message, hint }) =>
      `${line}:${column} ${message}${hint === undefined ? '' : ` (${hint})`}`.replaceAll(`${folder}/`, ''),
    );
}

function putAll(): void {
  const authority = createAuthority();
  const pair = authority.issue(['orders.test']);
  for (const name of ['pair', 'mine']) {
    put(`${name}.pem`, pair.cert);
    put(`${name}.key`, pair.key);
  }
  for (const name of ['ca', 'orders-ca', 'v2-ca']) put(`${name}.pem`, pair.cert);
  put('endpoints.yaml', '- https://127.0.0.1:9001\n');
  put('more.yaml', '- https://127.0.0.1:9003\n');
  put('keys.json', '{"keys": []}');
  put('partners.yaml', `keys: [{ name: acme, sha256: '${'0'.repeat(64)}' }]`);
}

describe('files that gateway.yaml names', () => {
  it('are all right when they are there and can be used', () => {
    putAll();
    expect(found()).toEqual([]);
  });

  it('are missed at the places that name them', () => {
    expect(found()).toEqual([
      '3:35 cannot read pair.pem: ENOENT',
      '3:50 cannot read pair.key: ENOENT',
      '3:89 cannot read ca.pem: ENOENT',
      '6:16 cannot read orders-ca.pem: ENOENT',
      '6:37 cannot read mine.pem: ENOENT',
      '6:52 cannot read mine.key: ENOENT',
      '9:28 cannot read endpoints.yaml: ENOENT',
      '11:53 cannot read more.yaml: ENOENT',
      '12:20 cannot read v2-ca.pem: ENOENT',
      '15:71 cannot read keys.json: ENOENT',
      '17:23 cannot read partners.yaml: ENOENT',
    ]);
  });

  it('are suggested where one beside them is called nearly the same, or where the folder is not there', () => {
    putAll();
    rmSync(join(folder, 'keys.json'));
    put('key.json', '{"keys": []}');
    const yaml = YAML.replace('file: partners.yaml', 'file: secrets/partners.yaml');
    expect(found(yaml)).toEqual([
      '15:71 cannot read keys.json: ENOENT (did you mean key.json?)',
      expect.stringMatching(
        /^17:23 cannot read secrets\/partners.yaml: ENOENT \(there is no folder .*secrets;/,
      ),
    ]);
  });

  it('are read, and what is wrong in them has its place there', () => {
    putAll();
    put('mine.key', createAuthority().key);
    put('v2-ca.pem', 'nonsense');
    put('keys.json', '[]');
    put('endpoints.yaml', '- https://127.0.0.1:9001\n- nonsense\n');
    put('partners.yaml', 'keys:\n  - { name: acme, sha256: abc }\n');
    expect(found()).toEqual([
      '6:52 this key is not that of the certificate in mine.pem',
      expect.stringMatching(/^9:28 endpoints\.yaml:2:3 expected an origin/),
      '12:20 expected certificates in PEM in v2-ca.pem',
      '15:71 expected a JSON Web Key Set, {"keys": [...]}, in keys.json',
      expect.stringMatching(/^17:23 partners\.yaml:2:27 expected a SHA-256 hash/),
    ]);
  });

  it('may be named by a version in part, with the rest of its service', () => {
    putAll();
    put('other.key', createAuthority().key);
    const yaml = YAML.replace('tls: { ca: v2-ca.pem }', 'tls: { key: other.key }');
    expect(found(yaml)).toEqual(['12:21 this key is not that of the certificate in mine.pem']);
  });

  it('have to be files, not folders', () => {
    putAll();
    const yaml = YAML.replace('keys.json', '.');
    expect(found(yaml)).toEqual([expect.stringMatching(/^15:71 cannot read .*: EISDIR/)]);
  });
});

describe('secrets in files', () => {
  it('that are not there are warned of at their place: they may be only where the gateway runs', () => {
    const yaml = `listeners: [{ address: 127.0.0.1:8080 }]
identity:
  introspection:
    hub: { url: https://id.test/introspect, clientId: gw, clientSecret: { file: hub.secret } }
tracing:
  otlp: http://127.0.0.1:4318/v1/traces
  headers: { authorization: { file: otlp.secret } }
services: { orders: { versions: { v1: { endpoints: [http://127.0.0.1:9001] } } } }
routes: [{ name: orders, match: { prefix: / }, service: orders }]
`;
    put('gateway.yaml', yaml);
    put('otlp.secret', 'token');
    const path = join(folder, 'gateway.yaml');
    const { diagnostics } = lintPaths([path], { gatewayPath: path });
    expect(diagnostics.map(({ line, severity, message }) => [line, severity, message])).toEqual([
      [4, 'warning', `cannot read the secret file ${join(folder, 'hub.secret')}: ENOENT`],
    ]);
  });
});

describe('the file of the access log', () => {
  const findings = (file: string): string[] => {
    const yaml = `listeners: [{ address: 127.0.0.1:8080 }]
accessLog: { sample: 10%, file: ${file} }
services: { orders: { versions: { v1: { endpoints: [http://127.0.0.1:9001] } } } }
routes: [{ name: orders, match: { prefix: / }, service: orders }]
`;
    put('gateway.yaml', yaml);
    const path = join(folder, 'gateway.yaml');
    const { diagnostics } = lintPaths([path], { gatewayPath: path });
    return diagnostics.map(({ line, column, severity, message, hint }) =>
      `${line}:${column} ${severity} ${message}${hint === undefined ? '' : ` (${hint})`}`.replaceAll(
        `${folder}/`,
        '',
      ),
    );
  };

  it('may be new or there, beside the configuration wherever lint was started, and is not created', () => {
    mkdirSync(join(folder, 'logs'));
    expect(findings('logs/access.log')).toEqual([]);
    expect(readdirSync(join(folder, 'logs'))).toEqual([]);
    put('logs/access.log', 'a line\n');
    expect(findings('logs/access.log')).toEqual([]);
  });

  it('is warned of where its folder is not there or none, and where it is one itself', () => {
    put('plain', '');
    expect(findings('logs/access.log')).toEqual([
      expect.stringMatching(
        /^2:33 warning cannot write logs\/access\.log: ENOENT \(there is no folder .*logs; paths are relative/,
      ),
    ]);
    expect(findings('plain/access.log')).toEqual(['2:33 warning cannot write plain/access.log: ENOTDIR']);
    expect(findings('.')).toEqual([expect.stringMatching(/^2:33 warning cannot write .*: EISDIR$/)]);
  });

  it('is warned of where this user may not write', () => {
    mkdirSync(join(folder, 'logs'));
    put('old.log', '');
    chmodSync(join(folder, 'logs'), 0o555);
    chmodSync(join(folder, 'old.log'), 0o444);
    // Root may write everywhere.
    const mayNot = process.getuid?.() !== 0;
    expect(findings('logs/access.log')).toEqual(
      mayNot ? ['2:33 warning cannot write logs/access.log: EACCES'] : [],
    );
    expect(findings('old.log')).toEqual(mayNot ? ['2:33 warning cannot write old.log: EACCES'] : []);
  });
});
