/**
 * Where callers put their credentials: a place of the configuration compiled to a reader of the request.
 * Knows fields and cookies, not what a credential is worth.
 * @module
 */

import type { IncomingHttpHeaders } from 'node:http';
import type { TokenPlace } from '../../config/policies/identity.ts';
import { cookieValue } from '../sticky.ts';

/** Every exchange is one. */
export interface CredentialBearer {
  /** The Authorization field. */
  readonly authorization: string | null;
  readonly request: { readonly headers: IncomingHttpHeaders };
}

/** The credential; null: there is none; undefined: there is something that cannot be one. */
export type CredentialRead = (bearer: CredentialBearer) => string | null | undefined;

/** Letters, digits and marks that stand in no list, quote or parameter; RFC 6750 §2.1 has the same and fewer. */
const CREDENTIAL = /^[\w\-.~+/:!$%&*|^#']+=*$/;

export function compileCredential(place: TokenPlace): CredentialRead {
  if ('cookie' in place) {
    return ({ request }) => {
      const value = cookieValue(request.headers.cookie, place.cookie);
      return value === undefined || value === '' ? null : sound(value);
    };
  }
  const { header } = place;
  const scheme = place.scheme ?? (header === 'authorization' ? 'Bearer' : '');
  const prefix = scheme.toLowerCase();
  return (bearer) => {
    const field = header === 'authorization' ? bearer.authorization : bearer.request.headers[header];
    if (field === undefined || field === null || field === '') return null;
    // Node makes lists of few fields only, none of them a credential.
    if (typeof field !== 'string') return undefined;
    if (prefix === '') return sound(field);
    const space = field.indexOf(' ');
    const word = space < 0 ? field : field.slice(0, space);
    // Another scheme is somebody else's credential.
    if (word.toLowerCase() !== prefix) return null;
    return space < 0 ? undefined : sound(field.slice(space).trim());
  };
}

function sound(text: string): string | undefined {
  return CREDENTIAL.test(text) ? text : undefined;
}
