/**
 * What a listener asks of every request before it is routed: an address, https, a certificate that is accepted.
 * Knows the listener's settings, no routes.
 * @module
 */

import { isCertificateAllowed } from '../../core/policy/certificate-names.ts';
import { hostOf } from '../../core/policy/request-target.ts';
import type { Exchange } from '../exchange.ts';
import { clientCertificateOf } from '../listeners/client-certificate.ts';
import { replyFixed, replyProblem } from '../problem.ts';
import { passes } from './screen.ts';

const NO_BODY = Buffer.alloc(0);

export function guard(exchange: Exchange): boolean {
  const { listener } = exchange;
  if (listener === null) return true;
  if (!passes(exchange, listener.ip)) return false;
  if (listener.redirectPort !== null && !exchange.secure) {
    redirect(exchange, listener.redirectPort);
    return false;
  }
  const wanted = listener.tls?.clientCertificates ?? null;
  if (wanted === null) return true;
  const certificate = clientCertificateOf(exchange.request.socket);
  if (certificate === null) return true;
  if (certificate.problem !== '' || !isCertificateAllowed(certificate, wanted.allow)) {
    replyProblem(exchange, 'CLIENT_CERTIFICATE_REFUSED', '');
    return false;
  }
  // A proxy's certificate says who the proxy is; who its client is, it may have said in a field.
  if (!exchange.peerTrusted) exchange.upstreamFields.push(...certificate.fields);
  return true;
}

function redirect(exchange: Exchange, port: number): void {
  const host = hostOf(exchange.authority);
  const authority = port === 443 ? host : `${host}:${port}`;
  const { path, query } = exchange;
  exchange.note('redirect', 'https');
  replyFixed(exchange, 308, ['Location', `https://${authority}${path}${query}`], NO_BODY);
}
