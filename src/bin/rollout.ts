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
const { io, close } = createProcessIo(process, version);
const program = createProgram(io);
program.commandsGroup('Processes:');
registerProcessVerbs(program, { env: process.env, say: (line) => io.stdout.write(`${line}\n`) });
await runProgram(program, io, process.argv.slice(2));
close();
