/**
 * What certificates say about whom they are for: host names as TLS matches them, subjects and alternative names as
 * allow lists do. Pure; knows the texts that Node gives, no certificate.
 * @module
 */

export interface CertificateIdentity {
  /** One attribute each, such as `CN=orders`; special characters escaped by `\` (RFC 2253). */
  readonly subject: readonly string[];
  /** Such as `DNS:orders.test`, `URI:spiffe://test/orders`, `IP:192.0.2.1`, `email:a@b.test`. */
  readonly altNames: readonly string[];
}

/** Certificates that one of the two lists names; both empty: every one. */
export interface CertificateAllowList {
  /** Each entry: attributes that the subject must have, all of them, parted by commas. */
  readonly subjects: readonly string[];
  /** `DNS:` entries may start with `*.` for one label. */
  readonly altNames: readonly string[];
}

/** Parses the two texts of a certificate as Node gives them. */
export function parseIdentity(subject: string, altNames: string): CertificateIdentity {
  return { subject: subject.split('\n').filter((line) => line !== ''), altNames: parseAltNames(altNames) };
}

/** `DNS:a.test, IP Address:192.0.2.1, URI:"quoted, as JSON"`. What is not in that form ends the list. */
function parseAltNames(text: string): string[] {
  const names: string[] = [];
  const element = /([A-Za-z ]+):("(?:[^"\\]|\\.)*"|[^,"]*)(?:, |$)/y;
  while (element.lastIndex < text.length) {
    const match = element.exec(text);
    if (match === null) break;
    const [, kind = '', value = ''] = match;
    const plain = value.startsWith('"') ? unquoted(value) : value;
    if (plain !== undefined) names.push(`${kind === 'IP Address' ? 'IP' : kind}:${plain}`);
  }
  return names;
}

function unquoted(text: string): string | undefined {
  try {
    return String(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/** Whether a name of a certificate, perhaps `*.test`, is for `host` (RFC 9525 §6.3): `*` is one whole label. */
export function matchesHost(pattern: string, host: string): boolean {
  const wanted = pattern.toLowerCase();
  const name = host.toLowerCase();
  if (!wanted.startsWith('*.')) return wanted === name;
  const dot = name.indexOf('.');
  return dot > 0 && name.slice(dot) === wanted.slice(1);
}

/** Where a list names subjects or alternative names, one of them has to fit. */
export function isCertificateAllowed(identity: CertificateIdentity, allow: CertificateAllowList): boolean {
  if (allow.subjects.length === 0 && allow.altNames.length === 0) return true;
  return (
    allow.subjects.some((entry) => attributesOf(entry).every((each) => identity.subject.includes(each))) ||
    allow.altNames.some((entry) => identity.altNames.some((name) => altNameFits(entry, name)))
  );
}

/** A comma inside a value is written `\,`. */
function attributesOf(entry: string): string[] {
  return entry.split(/(?<!\\),/).map((attribute) => attribute.trim());
}

function altNameFits(entry: string, name: string): boolean {
  return entry.startsWith('DNS:') && name.startsWith('DNS:')
    ? matchesHost(entry.slice(4), name.slice(4))
    : entry === name;
}
