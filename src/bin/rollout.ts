#!/usr/bin/env node
/**
 * The one command of Sluice. Reads argv, environment and terminal; everything else is given to it.
 * @module
 */

import { Command } from 'commander';
import { registerProcessVerbs } from './verbs.ts';

const program = new Command('rollout');
registerProcessVerbs(program, { env: process.env, say: (line) => process.stdout.write(`${line}\n`) });
await program.parseAsync();
