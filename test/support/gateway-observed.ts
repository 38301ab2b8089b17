/**
 * What a gateway says of itself in tests: its telemetry summed up, and the lines of its access log.
 * Knows the harness; knows nothing of what a test expects.
 * @module
 */

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { badOf, type OutcomeCounts, totalOf } from '../../src/core/domain/telemetry.ts';
import { eventually, type GatewayHarness } from './gateway-harness.ts';

export interface Sums {
  readonly bad: number;
  readonly total: number;
  readonly aborted: number;
}

/** Attempts and responses of a version, as soon as there are at least `requests` of both together. */
export async function summed(
  harness: GatewayHarness,
  service: string,
  version: string,
  requests = 1,
): Promise<{ readonly attempts: Sums; readonly responses: Sums }> {
  const sum = (view: 'attempts' | 'responses'): Sums => {
    const all = harness.stream.summaries
      .filter((summary) => summary.service === service)
      .flatMap(({ versions }) => versions[version]?.[view].outcomes ?? []);
    const over = (read: (outcomes: OutcomeCounts) => number) =>
      all.reduce((total, outcomes) => total + read(outcomes), 0);
    return { bad: over(badOf), total: over(totalOf), aborted: over((each) => each.clientAborted) };
  };
  await eventually(
    () => sum('attempts').total + sum('attempts').aborted + sum('responses').total >= requests,
  );
  return { attempts: sum('attempts'), responses: sum('responses') };
}

export interface AccessFile {
  readonly config: { readonly kind: 'file'; readonly path: string };
  /** All lines, as soon as there are at least `count`. */
  lines(count: number): Promise<readonly Readonly<Record<string, unknown>>[]>;
}

/** An access log in a folder of its own, removed with the harness. */
export function accessFile(harness: GatewayHarness): AccessFile {
  const dir = mkdtempSync(join(tmpdir(), 'sluice-access-'));
  const path = join(dir, 'access.log');
  harness.onClose(async () => rmSync(dir, { recursive: true, force: true }));
  const read = () =>
    readFileSync(path, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line));
  return {
    config: { kind: 'file', path },
    lines: (count) => eventually(() => (read().length >= count ? read() : undefined)),
  };
}
