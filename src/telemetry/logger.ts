/**
 * The process log: leveled JSON lines about Sluice itself, never about single requests (see the access log).
 * Owns field names and redaction; the destination is injected, so it knows no file and no terminal.
 * @module
 */

import { type DestinationStream, type Logger, pino } from 'pino';

export type { Logger } from 'pino';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

export interface LoggerOptions {
  readonly level: LogLevel;
  /** `gateway`, `operator` or `cli`; part of every line. */
  readonly component: string;
  readonly destination: DestinationStream;
}

/** Creates the logger of one component. Secrets in well-known fields are replaced before they are written. */
export function createLogger(options: LoggerOptions): Logger {
  return pino(
    {
      level: options.level,
      base: { component: options.component },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: ['*.token', '*.authorization', '*.signingKey', '*.webhookUrl'], censor: '[redacted]' },
    },
    options.destination,
  );
}
