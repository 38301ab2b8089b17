/**
 * Raw results as JSON, with what is needed to read them: machine, versions, flags. Knows no benchmark.
 * @module
 */

import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, totalmem } from 'node:os';
import { join, relative } from 'node:path';
import { ROOT } from './sluice.mjs';

/** Facts of the machine that every figure depends on. */
export function machine() {
  const [cpu] = cpus();
  return {
    cpu: cpu?.model ?? 'unknown',
    cores: cpus().length,
    memoryGb: Math.round(totalmem() / 2 ** 30),
    node: process.versions.node,
    platform: `${process.platform} ${process.arch}`,
    loadAverage: loadavg().map((load) => Number(load.toFixed(2))),
  };
}

/** Writes `bench/results/<name>-<time>.json` and returns its path from the project's root. */
export function saveResult(name, flags, result) {
  const folder = join(ROOT, 'bench', 'results');
  mkdirSync(folder, { recursive: true });
  const at = new Date().toISOString();
  const path = join(folder, `${name}-${at.replaceAll(/[:.]/g, '-')}.json`);
  writeFileSync(
    path,
    `${JSON.stringify({ bench: name, at, machine: machine(), flags, ...result }, null, 2)}\n`,
  );
  return relative(ROOT, path);
}
