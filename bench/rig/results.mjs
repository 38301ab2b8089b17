/**
 * Raw results as JSON, with what is needed to read them: machine, versions, flags. Knows no benchmark.
 * @module
 */

import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, totalmem } from 'node:os';
import { join, relative } from 'node:path';
import { ROOT } from './sluice.mjs';

/** Facts of the machine that every figure depends on. */
function machine() {
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

/** How this run is repeated. */
function commandLine(script) {
  const given = process.argv.slice(2);
  return ['npm run', script, ...(given.length > 0 ? ['--', ...given] : [])].join(' ');
}

/**
 * The end of every benchmark: writes `bench/results/<name>-<time>.json`, says how to repeat the run and on what it
 * ran, and sets the exit code. `script`: of package.json.
 */
export function conclude(name, flags, result, ok, script = `bench:${name}`) {
  const command = commandLine(script);
  const path = saveResult(name, flags, { command, ...result });
  process.stdout.write(`command: ${command}\nmachine: ${JSON.stringify(machine())}\nraw figures: ${path}\n`);
  process.exitCode = ok ? 0 : 1;
}

function saveResult(name, flags, result) {
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
