/**
 * What to say when a process cannot start because of the system: a port in use, a folder that may not be written.
 * Knows the codes of system errors; opens nothing.
 * @module
 */

import { SluiceError } from './errors.ts';

const LISTEN_REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'it is in use',
  EADDRNOTAVAIL: 'it is not an address of this machine',
  EACCES: 'this user may not use it',
  ENOTFOUND: 'there is no such host',
  EAI_AGAIN: 'the host name cannot be resolved',
};

const FOLDER_REASONS: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EROFS: 'the file system is read-only',
  ENOSPC: 'no space is left',
  EDQUOT: 'the quota is used up',
  ENOTDIR: 'a part of the path is not a folder',
  EEXIST: 'there is a file of that name',
  ENOENT: 'it cannot be created there',
};

interface Address {
  readonly host: string;
  readonly port: number;
}

/** An error of listening at `address`, which `key` of the configuration names; other errors come back as they are. */
export function listenFailure(error: unknown, { host, port }: Address, key: string): unknown {
  const reason = LISTEN_REASONS[codeOf(error)];
  if (reason === undefined) return error;
  const shown = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
  const holder = codeOf(error) === 'EADDRINUSE' ? `, or end what has it (ss -ltnp 'sport = :${port}')` : '';
  return new SluiceError('START_FAILED', {
    detail: `cannot listen at ${shown}: ${reason}`,
    hint: `Choose another address in ${key}${holder}.`,
    data: { address: shown, key },
    cause: error,
  });
}

/** An error of opening `folder`, which `key` names; other errors come back as they are. */
export function folderFailure(error: unknown, folder: string, key: string): unknown {
  const reason = FOLDER_REASONS[codeOf(error)];
  if (reason === undefined) return error;
  return new SluiceError('START_FAILED', {
    detail: `cannot keep state in ${folder}: ${reason}`,
    hint: `Name a folder that this user may write with ${key}.`,
    data: { folder, key },
    cause: error,
  });
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}
