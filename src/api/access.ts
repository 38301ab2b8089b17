/**
 * Who is asking and whether they may: bearer tokens with roles, the loopback exception, and the refusal of
 * requests that a foreign web page made a browser send. Knows no route.
 * @module
 */

import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { SluiceError } from '../core/domain/errors.ts';
import type { Actor } from '../core/domain/rollout-event.ts';

/** Each role may do what the ones before it may. */
export const ROLES = ['viewer', 'operator', 'admin'] as const;
export type Role = (typeof ROLES)[number];

export interface ApiToken {
  readonly name: string;
  readonly role: Role;
  readonly token: string;
}

export interface Principal {
  readonly role: Role;
  readonly actor: Actor;
}

export interface AccessOptions {
  readonly tokens: readonly ApiToken[];
  /** Peers on a loopback address need no token and act as admin. */
  readonly loopbackWithoutToken: boolean;
}

const ACTOR = /^[\x21-\x7e](?:[\x20-\x7e]{0,62}[\x21-\x7e])?$/;
/** Set by proxies: behind one, a loopback peer says nothing about who is asking. */
const PROXY_HEADERS = ['forwarded', 'x-forwarded-for', 'x-real-ip', 'via'] as const;

/** Returns the check that runs before each route. Throws UNAUTHENTICATED or FORBIDDEN. */
export function createAccess(options: AccessOptions): (request: IncomingMessage, needed: Role) => Principal {
  const known = options.tokens.map(({ name, role, token }) => ({ name, role, digest: digestOf(token) }));
  return (request, needed) => {
    refuseForeignPages(request);
    const principal = identify(request, known, options.loopbackWithoutToken);
    if (ROLES.indexOf(principal.role) < ROLES.indexOf(needed)) {
      throw new SluiceError('FORBIDDEN', {
        detail: `${principal.actor.name} is ${principal.role}, this needs ${needed}`,
        data: { role: principal.role, needed },
      });
    }
    return principal;
  };
}

interface KnownToken {
  readonly name: string;
  readonly role: Role;
  readonly digest: Buffer;
}

function identify(request: IncomingMessage, known: readonly KnownToken[], loopback: boolean): Principal {
  const { authorization } = request.headers;
  if (authorization !== undefined) {
    const token = /^Bearer +([^\s]+)$/i.exec(authorization)?.[1];
    const match = token === undefined ? undefined : matchToken(token, known);
    if (match) return { role: match.role, actor: { kind: 'user', name: match.name } };
    throw new SluiceError('UNAUTHENTICATED', { detail: 'the token given is not one of the configured ones' });
  }
  if (loopback && isLocalRequest(request)) {
    const header = request.headers['x-sluice-actor'];
    const name = typeof header === 'string' && ACTOR.test(header) ? header : 'local';
    return { role: 'admin', actor: { kind: 'user', name } };
  }
  throw new SluiceError('UNAUTHENTICATED', {
    hint: 'Put a token of operator.yaml (api.tokens) into SLUICE_TOKEN or a file for --token-file.',
  });
}

/** Compares digests of equal length against every token, so that time tells nothing about any of them. */
function matchToken(token: string, known: readonly KnownToken[]): KnownToken | undefined {
  const digest = digestOf(token);
  let match: KnownToken | undefined;
  for (const candidate of known) {
    if (timingSafeEqual(candidate.digest, digest)) match = candidate;
  }
  return match;
}

function digestOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}

/**
 * A name that an attacker's DNS points at 127.0.0.1 arrives with that name as Host: only loopback names count.
 */
function isLocalRequest(request: IncomingMessage): boolean {
  if (!isLoopbackAddress(request.socket.remoteAddress ?? '')) return false;
  if (PROXY_HEADERS.some((name) => request.headers[name] !== undefined)) return false;
  return isLoopbackHost(hostnameOf(`http://${request.headers.host ?? ''}`));
}

/** Browsers name the page's origin on every cross-origin request that can change something (Fetch §3.2). */
function refuseForeignPages(request: IncomingMessage): void {
  const { origin, host } = request.headers;
  const site = request.headers['sec-fetch-site'];
  const foreign =
    (origin !== undefined && (!URL.canParse(origin) || new URL(origin).host !== host?.toLowerCase())) ||
    site === 'cross-site' ||
    site === 'same-site';
  if (!foreign) return;
  throw new SluiceError('FORBIDDEN', {
    detail: 'the request comes from a web page of another origin',
    data: { origin: origin ?? null },
  });
}

function hostnameOf(url: string): string {
  return URL.canParse(url) ? new URL(url).hostname.replace(/^\[|\]$/g, '') : '';
}

function isLoopbackHost(hostname: string): boolean {
  return hostname === 'localhost' || isLoopbackAddress(hostname);
}

/** 127.0.0.0/8 and ::1, also as IPv4-mapped IPv6. */
export function isLoopbackAddress(address: string): boolean {
  const plain = address.replace(/^::ffff:/i, '');
  return isIP(plain) === 4 ? plain.startsWith('127.') : plain === '::1';
}
