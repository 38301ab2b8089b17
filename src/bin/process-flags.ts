/**
 * The flags of the verbs that run Sluice, as Commander hands them over. Types only.
 * @module
 */

import type { LogLevel } from '../telemetry/logger.ts';

export interface SharedFlags {
  readonly gateway: string;
  readonly rollouts: string;
  readonly redis?: string;
  readonly stateDir: string;
  readonly logLevel: LogLevel;
}

export interface GatewayFlags extends Omit<SharedFlags, 'rollouts'> {
  readonly name?: string;
  readonly zone?: string;
}

export interface OperatorFlags extends SharedFlags {
  readonly api?: string;
  readonly advertiseUrl?: string;
  readonly openLoopback?: boolean;
}

export type UpFlags = Omit<OperatorFlags, 'openLoopback'>;

/** Where people's lines go; data never comes from these verbs. */
export interface ProcessIo {
  readonly env: Readonly<Record<string, string | undefined>>;
  say(line: string): void;
}
