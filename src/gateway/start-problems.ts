/**
 * What stops a gateway from starting though its file is sound: an address in use, a log that cannot be written, a secret
 * that is not there. Says where the setting stands.
 * @module
 */

import { dirname } from 'node:path';
import type { GatewayConfig } from '../config/gateway-model.ts';
import { pathText, placeOf } from '../config/place-of.ts';
import type { ListenAddress, Secret } from '../config/primitives.ts';
import { readSecret } from '../config/read-secret.ts';
import type { Path } from '../config/yaml-source.ts';
import { SluiceError } from '../core/domain/errors.ts';
import { listenFailure } from '../core/domain/start-failure.ts';
import { type AccessLog, openAccessLog } from './access-log.ts';

/** An error of listening at `address`, which stands at `path`; other errors come back as they are. */
export function addressProblem(
  error: unknown,
  { path: file }: GatewayConfig,
  path: Path,
  address: ListenAddress,
): unknown {
  return listenFailure(error, address, `${pathText(path)} of ${placeOf(file, path)}`);
}

/** Throws `START_FAILED` when its file cannot be opened for appending. */
export function openConfiguredLog({ accessLog, path: file }: GatewayConfig): AccessLog {
  try {
    return openAccessLog(accessLog);
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    const target = accessLog.kind === 'file' ? accessLog.path : accessLog.kind;
    throw new SluiceError('START_FAILED', {
      detail: `cannot write the access log to ${target}: ${reason}`,
      hint: `Name a file that this user may write in accessLog.file of ${placeOf(file, ['accessLog', 'file'])}.`,
      cause: error,
    });
  }
}

/** Throws `CONFIG_INVALID` when there is none. */
export function requiredSecret(
  secret: Secret,
  file: string,
  path: Path,
  env: Readonly<Record<string, string | undefined>>,
): string {
  const read = readSecret(secret, dirname(file), env);
  if (read.ok) return read.secret;
  throw new SluiceError('CONFIG_INVALID', {
    detail: `${placeOf(file, path)} ${pathText(path)}: ${read.message}`,
    hint: read.hint,
  });
}
