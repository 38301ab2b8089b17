#!/usr/bin/env node
/**
 * The one command of Sluice: reads argv, environment and terminal, and hands them to the verbs.
 * @module
 */

import { readFileSync } from 'node:fs';
import { createProcessIo } from '../cli/process-io.ts';
import { createProgram, runProgram } from '../cli/program.ts';
import { registerProcessVerbs } from './verbs.ts';

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string;
};
/** A long answer about the past takes longer than one value. */
const HISTORY_TIMEOUT_MS = 30_000;
const { io, close } = createProcessIo(process, version, async (url, bearerToken) => {
  const { createPrometheusSource } = await import('../adapters/prometheus/prometheus-source.ts');
  return createPrometheusSource({ url, timeoutMs: HISTORY_TIMEOUT_MS, bearerToken });
});
const program = createProgram(io);
program.commandsGroup('Processes:');
registerProcessVerbs(program, { env: process.env, say: (line) => io.stdout.write(`${line}\n`) });
await runProgram(program, io, process.argv.slice(2));
close();
