// Compiles src/ to dist/ with tsc, copies the files tsc does not know (Lua), and makes the command executable.
import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, rmSync } from 'node:fs';

rmSync('dist', { recursive: true, force: true });
const tsc = spawnSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json'], {
  stdio: 'inherit',
});
if (tsc.status !== 0) process.exit(tsc.status ?? 1);
cpSync('src/adapters/redis/lua', 'dist/adapters/redis/lua', { recursive: true });
if (existsSync('dist/bin/rollout.js')) chmodSync('dist/bin/rollout.js', 0o755);
