/**
 * Address rules, ready to be asked: deny before allow. Compiled when a policy is first asked, once.
 * @module
 */

import type { IpPolicy } from '../config/policies/ip.ts';
import { compileTrust, type TrustCheck } from './forwarded.ts';

const compiled = new WeakMap<IpPolicy, TrustCheck>();

/** `address` is a plain one: IPv4 never as IPv6. What is no address is let in nowhere. */
export function isAddressAllowed(policy: IpPolicy, address: string): boolean {
  const known = compiled.get(policy);
  if (known !== undefined) return known(address);
  const allowed = compileTrust(policy.allow ?? ['0.0.0.0/0', '::/0']);
  const denied = compileTrust(policy.deny);
  const check: TrustCheck = (each) => allowed(each) && !denied(each);
  compiled.set(policy, check);
  return check(address);
}
