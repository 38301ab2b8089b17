/**
 * Turns the process's signals into promises: SIGTERM and SIGINT end it, SIGHUP reloads.
 * @module
 */

export interface SignalHandlers {
  onHangUp(): Promise<void>;
}

/** Resolves at the first SIGTERM or SIGINT; a second SIGINT ends the process at once, as people expect. */
export function untilStopped({ onHangUp }: SignalHandlers): Promise<void> {
  return new Promise((resolve) => {
    const hangUp = (): void => void onHangUp();
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
