// Adds to package-lock.json the optional packages of other platforms that the registry in use did not offer when
// the file was written: `npm ci` wants every one of them listed, on every machine. Run after a change of
// dependencies; the names of these packages tell their platform.
import { readFileSync, writeFileSync } from 'node:fs';

const SYSTEMS = [
  'android',
  'darwin',
  'freebsd',
  'linux',
  'netbsd',
  'openbsd',
  'openharmony',
  'sunos',
  'win32',
  'aix',
];
const CPUS = ['arm64', 'arm', 'x64', 'ia32', 'loong64', 'mips64el', 'ppc64', 'riscv64', 's390x'];

const path = 'package-lock.json';
const lock = JSON.parse(readFileSync(path, 'utf8'));
const added = [];
for (const entry of Object.values(lock.packages)) {
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    const key = `node_modules/${name}`;
    if (lock.packages[key]) continue;
    const words = name.split(/[/-]/);
    const os = SYSTEMS.find((system) => words.includes(system));
    const cpu = CPUS.find((each) => words.includes(each));
    if (!os || !cpu) throw new Error(`${name}: its name does not tell its platform`);
    const libc = words.includes('musl')
      ? { libc: ['musl'] }
      : words.includes('gnu')
        ? { libc: ['glibc'] }
        : {};
    const dev = entry.dev ? { dev: true } : {};
    lock.packages[key] = { version, cpu: [cpu], ...dev, ...libc, optional: true, os: [os] };
    added.push(name);
  }
}
const [root, ...rest] = Object.entries(lock.packages);
lock.packages = Object.fromEntries([root, ...rest.sort(([a], [b]) => (a < b ? -1 : 1))]);
writeFileSync(path, `${JSON.stringify(lock, null, 2)}\n`);
console.log(`${added.length} packages of other platforms added`);
