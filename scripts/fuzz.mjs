// The fuzz tests for longer than in `npm test`: `npm run fuzz -- [seconds] [seed]`. Each test gets that time, from batches
// with seeds that count up; the one that fails names its seed, and FUZZ_SEED=<seed> runs that batch alone.
import { spawnSync } from 'node:child_process';

const [seconds = '60', seed = String(Math.floor(Math.random() * 900_000_000))] = process.argv.slice(2);
console.log(`${seconds} s for each test, from seed ${seed}`);
const { status } = spawnSync(
  process.execPath,
  ['node_modules/vitest/vitest.mjs', 'run', '--config', 'test/vitest.config.ts', 'test/gateway/fuzz'],
  { stdio: 'inherit', env: { ...process.env, FUZZ_SECONDS: seconds, FUZZ_SEED: seed } },
);
process.exit(status ?? 1);
