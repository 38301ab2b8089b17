/**
 * The files that `gateway.yaml` names: certificates, keys, authorities, key sets, API keys, endpoints and `.proto` files,
 * which gateways read, and the access log, which they write. For `lint` and every start and reload says which cannot be used, at the place that names them.
 * Reports no content; keeps nothing of what it reads.
 * @module
 */

import { accessSync, constants, readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { loadApiKeyFile } from './api-key-file.ts';
import { checkAuthorityFile, checkCertificateFiles, type FileFinding } from './certificate-files.ts';
import type { LoadResult } from './diagnostic.ts';
import { closest } from './edit-distance.ts';
import { loadEndpointFile } from './endpoint-file.ts';
import type { ConfigFile } from './findings.ts';
import type { GatewayYaml } from './gateway-schema.ts';
import { checkTranscodeFile } from './policies/transcode.ts';
import type { TlsYaml } from './policies/upstream-tls.ts';
import type { Secret } from './primitives.ts';
import { readSecret } from './read-secret.ts';
import type { Path, YamlSource } from './yaml-source.ts';

/** `yaml`: what was read from `source`, sound as far as its shape goes. */
export function checkNamedFiles(source: YamlSource, yaml: GatewayYaml): void {
  const files = new FileChecks(source);
  for (const [index, { tls }] of yaml.listeners.entries()) {
    if (!tls) continue;
    const at = ['listeners', index, 'tls'];
    for (const [number, pair] of tls.certificates.entries())
      files.pair([...at, 'certificates', number], pair);
    if (tls.clientCertificates) files.authority([...at, 'clientCertificates'], tls.clientCertificates.ca);
  }
  for (const [name, service] of Object.entries(yaml.services)) {
    const at = ['services', name];
    files.upstreamTls([...at, 'tls'], service.tls, {});
    for (const [version, { tls, endpoints }] of Object.entries(service.versions)) {
      files.upstreamTls([...at, 'versions', version, 'tls'], tls, service.tls ?? {});
      for (const [index, each] of endpoints.entries()) {
        if ('file' in each) files.endpoints([...at, 'versions', version, 'endpoints'], index, each.file);
      }
    }
  }
  for (const [name, { jwks }] of Object.entries(yaml.identity?.jwt ?? {})) {
    if ('file' in jwks) files.keySet(['identity', 'jwt', name, 'jwks', 'file'], jwks.file);
  }
  for (const [name, { file }] of Object.entries(yaml.identity?.apiKeys ?? {})) {
    files.entries(['identity', 'apiKeys', name, 'file'], file, loadApiKeyFile);
  }
  for (const [name, { clientSecret }] of Object.entries(yaml.identity?.introspection ?? {}))
    files.secret(['identity', 'introspection', name, 'clientSecret'], clientSecret);
  for (const [name, value] of Object.entries(yaml.tracing?.headers ?? {}))
    files.secret(['tracing', 'headers', name], value);
  if (typeof yaml.accessLog === 'object' && yaml.accessLog.file !== undefined)
    files.appended(['accessLog', 'file'], yaml.accessLog.file);
  for (const [name, { transcode }] of Object.entries(yaml.policies ?? {}))
    checkTranscodeFile(source, ['policies', name], transcode);
  for (const [index, { transcode }] of yaml.routes.entries())
    checkTranscodeFile(source, ['routes', index], transcode);
}

class FileChecks {
  readonly #source: YamlSource;

  constructor(source: YamlSource) {
    this.#source = source;
  }

  pair(at: Path, { cert, key }: { readonly cert: string; readonly key: string }): void {
    this.#report(checkCertificateFiles(this.#absolute(cert), this.#absolute(key)), () => at);
  }

  authority(at: Path, ca: string): void {
    this.#report(checkAuthorityFile(this.#absolute(ca)), () => at);
  }

  /** `inherited`: what the service says; a file is checked where it is named, a pair where it is complete. */
  upstreamTls(at: Path, written: TlsYaml, inherited: NonNullable<TlsYaml>): void {
    if (written === undefined) return;
    if (written.ca !== undefined) this.authority(at, written.ca);
    const { cert, key } = { ...inherited, ...written };
    const ownPair = written.cert !== undefined || written.key !== undefined;
    if (!ownPair || cert === undefined || key === undefined) return;
    this.#report(checkCertificateFiles(this.#absolute(cert), this.#absolute(key)), (setting) =>
      written[setting] === undefined ? at.slice(0, -1) : at,
    );
  }

  /** `at`: of all endpoints, which may be one outside a list. */
  endpoints(at: Path, index: number, file: string): void {
    const written = at.reduce<unknown>((value, step) => Object(value)[step], this.#source.value);
    const place = Array.isArray(written) ? [...at, index, 'file'] : [...at, 'file'];
    this.entries(place, file, loadEndpointFile);
  }

  /** A warning only: secrets are often nowhere but where the gateway runs, which says more when it starts. */
  secret(at: Path, secret: Secret): void {
    if ('env' in secret) return;
    const read = readSecret(secret, dirname(this.#source.file.absolutePath), {});
    if (read.ok) return;
    this.#source.findings.warning(this.#source.valueRange([...at, 'file']), read.message, read.hint);
  }

  /** A warning only, for the same reason. Creates nothing. */
  appended(at: Path, file: string): void {
    const path = this.#absolute(file);
    const reason = appendProblem(path);
    if (reason === undefined) return;
    const hint = reason === 'ENOENT' ? missingFolder(path) : undefined;
    this.#source.findings.warning(this.#source.valueRange(at), `cannot write ${path}: ${reason}`, hint);
  }

  keySet(at: Path, file: string): void {
    const text = this.#read(at, file);
    if (text === undefined) return;
    try {
      const { keys } = Object(JSON.parse(text));
      if (Array.isArray(keys)) return;
    } catch {
      // No JSON: the same message.
    }
    this.#error(at, `expected a JSON Web Key Set, {"keys": [...]}, in ${this.#absolute(file)}`);
  }

  /** A file of our own, in YAML or JSON: its first problem with its place in it. */
  entries(at: Path, file: string, load: (file: ConfigFile) => LoadResult<unknown>): void {
    const text = this.#read(at, file);
    if (text === undefined) return;
    const { diagnostics } = load({ name: file, text, absolutePath: this.#absolute(file) });
    const wrong = diagnostics.filter(({ severity }) => severity === 'error');
    const [first] = wrong;
    if (first === undefined) return;
    const more = wrong.length === 1 ? '' : ` (and ${wrong.length - 1} more)`;
    this.#error(at, `${file}:${first.line}:${first.column} ${first.message}${more}`, first.hint);
  }

  #read(at: Path, file: string): string | undefined {
    const path = this.#absolute(file);
    try {
      return readFileSync(path, 'utf8');
    } catch (error) {
      this.#error(at, `cannot read ${path}: ${reasonOf(error)}`, neighbourOf(path));
      return undefined;
    }
  }

  #report(found: readonly FileFinding[], place: (setting: FileFinding['setting']) => Path): void {
    for (const { setting, message, path } of found)
      this.#error([...place(setting), setting], message, path === undefined ? undefined : neighbourOf(path));
  }

  #error(at: Path, message: string, hint?: string): void {
    this.#source.findings.error(this.#source.valueRange(at), message, hint);
  }

  #absolute(file: string): string {
    return resolve(dirname(this.#source.file.absolutePath), file);
  }
}

/** Why this user cannot append to it, or create it; undefined: nothing is in the way. */
function appendProblem(path: string): string | undefined {
  try {
    const found = statSync(path, { throwIfNoEntry: false });
    if (found?.isDirectory()) return 'EISDIR';
    if (found === undefined && !statSync(dirname(path)).isDirectory()) return 'ENOTDIR';
    accessSync(found === undefined ? dirname(path) : path, constants.W_OK);
    return undefined;
  } catch (error) {
    return reasonOf(error);
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown reason';
}

function missingFolder(path: string): string {
  return `there is no folder ${dirname(path)}; paths are relative to the configuration file`;
}

/** What to look at when a file is not there: one beside it with nearly that name. */
function neighbourOf(path: string): string | undefined {
  try {
    const found = closest(basename(path), readdirSync(dirname(path)));
    return found === undefined || found === basename(path) ? undefined : `did you mean ${found}?`;
  } catch {
    return missingFolder(path);
  }
}
