/**
 * What becomes of Set-Cookie in a shared cache. RFC 9111 §7.3 leaves it to the response's lifetime; most responses with
 * a cookie are one user's all the same, whatever they say of their lifetime.
 * @module
 */

import type { Freshness } from './freshness.ts';

/**
 * `refuse`: such a response is kept only if it says that it is for all. `strip`: it is kept without the field.
 * `keep`: its lifetime decides, and everybody gets the cookie.
 */
export type SetCookieRule = 'refuse' | 'strip' | 'keep';

/** Whether a response that sets cookies may be kept together with them. */
export function keepsCookies(rule: SetCookieRule, { directives, targeted }: Freshness): boolean {
  if (rule !== 'refuse') return rule === 'keep';
  return directives.isPublic || directives.sharedMaxAgeS !== null || targeted;
}

/** `name` in lower case. */
export function isSetCookie(name: string): boolean {
  return name === 'set-cookie' || name === 'set-cookie2';
}
