/**
 * Turns the process's signals into promises: SIGTERM and SIGINT end it; SIGHUP reloads what can be reloaded, and
 * ends what can't or what has lost its terminal.
 * @module
 */

import { closeSync, openSync } from 'node:fs';

/**
 * Resolves at the first SIGTERM or SIGINT; a second SIGINT ends the process at once, as people expect. `onHangUp`
 * is asked when SIGHUP comes; without an answer it ends the process like SIGTERM.
 */
export function untilStopped(onHangUp: () => (() => Promise<void>) | null): Promise<void> {
  return new Promise((resolve) => {
    const hangUp = (): void => {
      const reload = onHangUp();
      if (reload && !hasLostTerminal()) void reload();
      else stop();
    };
    const stop = (): void => {
      process.off('SIGHUP', hangUp);
      process.off('SIGTERM', stop);
      process.off('SIGINT', stop);
      process.once('SIGINT', () => process.exit(130));
      resolve();
    };
    process.on('SIGHUP', hangUp);
    process.on('SIGTERM', stop);
    process.on('SIGINT', stop);
  });
}

/** A closed terminal sends SIGHUP as well: nobody would stop the process any more. */
function hasLostTerminal(): boolean {
  if (!process.stdin.isTTY) return false;
  try {
    closeSync(openSync('/dev/tty', 'r'));
    return false;
  } catch {
    return true;
  }
}
