/**
 * The exit codes of `rollout`, as documented in docs/cli.md: scripts and CI tell outcomes apart by them.
 * Knows nothing of how an outcome came about.
 * @module
 */

import type { ErrorCode } from '../core/domain/errors.ts';

export const EXIT = {
  success: 0,
  failure: 1,
  /** Command line or configuration not valid. */
  usage: 2,
  /** The rollout was aborted or undone. */
  aborted: 3,
  /** No token, a wrong one, or one whose role is too low. */
  auth: 4,
  /** The time given to `--wait` is over and the rollout still runs. */
  running: 8,
  /** The rollout waits for a person's approval. */
  approval: 9,
  /** Interrupted; the rollout goes on. */
  interrupted: 130,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

export function exitCodeOf(code: ErrorCode): ExitCode {
  switch (code) {
    case 'USAGE':
    case 'BAD_REQUEST':
    case 'CONFIG_INVALID':
      return EXIT.usage;
    case 'UNAUTHENTICATED':
    case 'FORBIDDEN':
      return EXIT.auth;
    default:
      return EXIT.failure;
  }
}
