/**
 * Bytes of buffers that are in use, without the garbage that nobody has collected yet: a busy machine collects late.
 * @module
 */

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const collect: unknown = runInNewContext('gc');

export function buffersInUse(): number {
  if (typeof collect !== 'function') throw new Error('this Node cannot be asked to collect garbage');
  collect();
  return process.memoryUsage().arrayBuffers;
}
