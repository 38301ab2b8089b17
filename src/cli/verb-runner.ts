/**
 * What a verb's file exports: a function that registers it. Knows no verb.
 * @module
 */

import type { Command } from 'commander';
import type { ExitCode } from './exit-codes.ts';
import type { VerbContext } from './verb-context.ts';

/** Runs a verb with its settings and turns what it throws into talk and an exit code. */
export type VerbRunner = (
  command: Command,
  verb: (context: VerbContext) => Promise<ExitCode>,
) => Promise<void>;

export type RegisterVerb = (program: Command, run: VerbRunner) => void;

export const ROLLOUT_ARGUMENT = [
  '[rollout]',
  'its name; may be left out when exactly one is active',
] as const;
