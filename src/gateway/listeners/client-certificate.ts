/**
 * Who a client says it is by its certificate: read once per connection, as policies and upstreams want it.
 * Knows TLS sockets; decides nothing.
 * @module
 */

import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { type CertificateIdentity, parseIdentity } from '../../core/policy/certificate-names.ts';

export interface ClientCertificate extends CertificateIdentity {
  /** Why it is not to be believed; empty: it is valid and of an authority that the listener accepts. */
  readonly problem: string;
  /** Name, value, name, value …: what tells the upstream (RFC 9440, and the same for humans). */
  readonly fields: readonly string[];
}

const bySocket = new WeakMap<Socket, ClientCertificate | null>();

/** Null: the client has shown none. */
export function clientCertificateOf(socket: Socket): ClientCertificate | null {
  const known = bySocket.get(socket);
  if (known !== undefined) return known;
  const read = socket instanceof TLSSocket ? readCertificate(socket) : null;
  bySocket.set(socket, read);
  return read;
}

function readCertificate(socket: TLSSocket): ClientCertificate | null {
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) return null;
  const { subject, subjectAltName, raw } = certificate;
  const identity = parseIdentity(subject, subjectAltName ?? '');
  const problem = socket.authorizationError as unknown;
  return {
    ...identity,
    problem: socket.authorized ? '' : String(problem),
    fields: [
      'Client-Cert',
      `:${raw.toString('base64')}:`,
      'X-Client-Cert-Subject',
      fieldText(identity.subject.join(',')),
      ...(identity.altNames.length === 0
        ? []
        : ['X-Client-Cert-Alt-Names', fieldText(identity.altNames.join(','))]),
    ],
  };
}

/** Only what may stand in a field; everything else, and `%`, is percent-encoded. */
function fieldText(text: string): string {
  return text.replace(/[^\x21-\x24\x26-\x7e ]+/gu, (part) => encodeURIComponent(part));
}
