/**
 * Who may come from where: address rules of routes and listeners, their shape, merging and defaults.
 * Knows ranges as text; compares no address.
 * @module
 */

import { isIP } from 'node:net';
import * as z from 'zod';
import type { Path, YamlSource } from '../yaml-source.ts';

export interface IpPolicy {
  /** Null: every address that is not denied. */
  readonly allow: readonly string[] | null;
  /** Wins over `allow`. */
  readonly deny: readonly string[];
}

export const ranges = z.array(z.string().min(1)).min(1).max(10_000);

const ip = z.strictObject({
  allow: ranges.optional().meta({ description: 'Only these addresses and CIDR ranges. Default: all.' }),
  deny: ranges.optional().meta({ description: 'None of these, also where allow names them.' }),
});

export const ipField = z
  .union([ip, z.literal(false)])
  .optional()
  .meta({ description: 'Addresses of clients that get in; others get 403. False for no rules.' });

export type IpYaml = z.output<typeof ipField>;

/** A route's list replaces that of its policy. */
export function mergeIp(base: IpYaml, over: IpYaml): IpYaml {
  return base && over ? { ...base, ...over } : (over ?? base);
}

export function completeIp(written: IpYaml): IpPolicy | null {
  return written ? { allow: written.allow ?? null, deny: written.deny ?? [] } : null;
}

/** `path` is that of the policy, route or listener. */
export function checkIp(source: YamlSource, path: Path, written: IpYaml): void {
  if (!written) return;
  if (!written.allow && !written.deny) {
    source.findings.error(source.valueRange([...path, 'ip']), 'expected allow, deny or both');
  }
  checkRanges(source, [...path, 'ip', 'allow'], written.allow ?? []);
  checkRanges(source, [...path, 'ip', 'deny'], written.deny ?? []);
}

export function checkRanges(source: YamlSource, path: Path, written: readonly string[]): void {
  for (const [index, range] of written.entries()) {
    if (isAddressRange(range)) continue;
    source.findings.error(
      source.valueRange([...path, index]),
      `expected an IP address or a range such as 10.0.0.0/8 or fd00::/8, got "${range}"`,
    );
  }
}

function isAddressRange(text: string): boolean {
  const [address = '', bits, ...rest] = text.split('/');
  const version = isIP(address);
  if (version === 0 || rest.length > 0) return false;
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (version === 4 ? 32 : 128));
}
