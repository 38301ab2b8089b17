/**
 * Entry of `npm run demo`: flags in, exit code out.
 * @module
 */

import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { runDemo } from '../demo/demo.ts';
import { untilStopped } from './process-signals.ts';

const { values } = parseArgs({ options: { keep: { type: 'boolean', default: false } } });
const root = fileURLToPath(new URL('../../', import.meta.url));

process.exitCode = await runDemo({
  root,
  command: fileURLToPath(new URL('./rollout.js', import.meta.url)),
  keep: values.keep,
  say: (line) => process.stdout.write(`${line}\n`),
  untilStopped: () => untilStopped(() => null),
});
