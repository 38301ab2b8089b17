/**
 * Buffers that are in use, in bytes and by number, without the garbage that nobody has collected yet: a busy machine collects late.
 * @module
 */

import { queryObjects, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const collect: unknown = runInNewContext('gc');

export function buffersInUse(): number {
  if (typeof collect !== 'function') throw new Error('this Node cannot be asked to collect garbage');
  collect();
  return process.memoryUsage().arrayBuffers;
}

/** How many buffers and other arrays of bytes something holds. */
export function buffersHeld(): number {
  return queryObjects(Uint8Array, { format: 'count' });
}
