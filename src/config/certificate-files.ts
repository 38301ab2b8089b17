/**
 * Looks at certificate and key files for `lint` and before a start: readable, in PEM, and of each other.
 * Reports no content; keeps nothing of what it reads.
 * @module
 */

import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';

export interface FileFinding {
  readonly setting: 'cert' | 'key' | 'ca';
  readonly message: string;
  /** The file that cannot be read; left out where it is what is in it. */
  readonly path?: string;
}

/** Empty: the two can be used together. */
export function checkCertificateFiles(cert: string, key: string): readonly FileFinding[] {
  const findings: FileFinding[] = [];
  const certificate = attempt(
    findings,
    'cert',
    cert,
    'a certificate in PEM',
    (pem) => new X509Certificate(pem),
  );
  const privateKey = attempt<KeyObject>(
    findings,
    'key',
    key,
    'a private key in PEM, not encrypted',
    createPrivateKey,
  );
  if (certificate && privateKey && !certificate.checkPrivateKey(privateKey)) {
    findings.push({ setting: 'key', message: `this key is not that of the certificate in ${cert}` });
  }
  return findings;
}

export function checkAuthorityFile(ca: string): readonly FileFinding[] {
  const findings: FileFinding[] = [];
  attempt(findings, 'ca', ca, 'certificates in PEM', (pem) => new X509Certificate(pem));
  return findings;
}

function attempt<Parsed>(
  findings: FileFinding[],
  setting: FileFinding['setting'],
  path: string,
  expected: string,
  parse: (pem: Buffer) => Parsed,
): Parsed | undefined {
  let pem: Buffer;
  try {
    pem = readFileSync(path);
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : 'unknown reason';
    findings.push({ setting, message: `cannot read ${path}: ${reason}`, path });
    return undefined;
  }
  try {
    return parse(pem);
  } catch {
    findings.push({ setting, message: `expected ${expected} in ${path}` });
    return undefined;
  }
}
