// The whole test command: what the tests need, static checks, build, tests. Used by people and by .ci/run alike.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';

const NEEDED = [
  { command: 'redis-server', debian: 'redis-server' },
  { command: 'prometheus', debian: 'prometheus' },
];

function run(command, args, options = {}) {
  const result = spawnSync(command, args, { stdio: 'inherit', ...options });
  return result.status ?? 1;
}

function isInstalled(command) {
  return (process.env.PATH ?? '')
    .split(':')
    .some((folder) => folder !== '' && existsSync(`${folder}/${command}`));
}

/** Debian starts what it installs; the tests start their own servers, so its services stay off. */
function installMissing() {
  const missing = NEEDED.filter(({ command }) => !isInstalled(command)).map(({ debian }) => debian);
  if (missing.length === 0) return;
  const advice = `apt-get install -y ${missing.join(' ')}`;
  const mayInstall = process.getuid?.() === 0 && isInstalled('apt-get');
  if (!mayInstall) {
    console.error(`The tests need ${missing.join(' and ')}. Install with: sudo ${advice}`);
    process.exit(1);
  }
  console.log(`installing ${missing.join(', ')}`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' };
  const quiet = { env, stdio: ['ignore', 'ignore', 'inherit'] };
  run('apt-get', ['update', '-qq'], quiet);
  const status = run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...missing], quiet);
  if (status !== 0) {
    console.error(`Could not install them. Try by hand: ${advice}`);
    process.exit(status);
  }
}

const node = (script, ...args) => run(process.execPath, [script, ...args]);

installMissing();
const steps = [
  () => node('node_modules/typescript/bin/tsc', '--noEmit', '-p', '.'),
  () => node('node_modules/@biomejs/biome/bin/biome', 'check', '--error-on-warnings', '.'),
  () => node('scripts/build.mjs'),
  () =>
    node(
      'node_modules/vitest/vitest.mjs',
      'run',
      '--config',
      'test/vitest.config.ts',
      ...process.argv.slice(2),
    ),
];
for (const step of steps) {
  const status = step();
  if (status !== 0) process.exit(status);
}
