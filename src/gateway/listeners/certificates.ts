/**
 * The certificates that a listener shows: read from files, chosen by the name that a client asks for, replaced when
 * their files change. A file that cannot be used leaves the certificate before it in force. Opens no socket.
 * @module
 */

import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createSecureContext, type SecureContext, type SecureContextOptions } from 'node:tls';
import type { CertificateFiles, ListenerTls } from '../../config/policies/listeners.ts';
import { matchesHost, parseIdentity } from '../../core/policy/certificate-names.ts';
import type { Logger } from '../../telemetry/logger.ts';
import { WatchedFiles } from '../watched-files.ts';

/** Forward secrecy and authenticated encryption only; 1.3 first. */
const CIPHERS = [
  'TLS_AES_128_GCM_SHA256',
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
].join(':');

/** One certificate with its key. */
interface Pair {
  readonly cert: Buffer;
  readonly key: Buffer;
  /** Host names that it is for, perhaps with `*.` in front. */
  readonly names: readonly string[];
  readonly notAfterMs: number;
}

export interface CertificateState {
  readonly file: string;
  readonly notAfterMs: number;
  /** Its files have changed and cannot be used. */
  readonly stale: boolean;
}

export class ListenerCertificates {
  /** Called when what new connections get has changed. */
  onChange: () => void = () => {};
  readonly #logger: Logger;
  readonly #pairs = new Map<string, WatchedFiles<Pair>>();
  readonly #authorities = new Map<string, WatchedFiles<Buffer>>();
  #tls: ListenerTls;
  #contexts: { readonly names: readonly string[]; readonly context: SecureContext }[] = [];

  private constructor(tls: ListenerTls, logger: Logger) {
    this.#tls = tls;
    this.#logger = logger;
  }

  /** Rejects when files cannot be used. */
  static async open(tls: ListenerTls, logger: Logger): Promise<ListenerCertificates> {
    const certificates = new ListenerCertificates(tls, logger);
    try {
      await certificates.prepare(tls);
      certificates.use(tls);
      return certificates;
    } catch (error) {
      certificates.close();
      throw error;
    }
  }

  /** Reads what is new in `tls`, and again what is not. Rejects when something new cannot be used. */
  async prepare(tls: ListenerTls): Promise<void> {
    const ca = tls.clientCertificates?.ca;
    await Promise.all([
      ...tls.certificates.map((files) =>
        this.#hold(this.#pairs, keyOf(files), [files.cert, files.key], () => readPair(files)),
      ),
      ...(ca === undefined ? [] : [this.#hold(this.#authorities, ca, [ca], () => readAuthority(ca))]),
    ]);
  }

  /** Shows what `tls` names from now on, and forgets the rest. */
  use(tls: ListenerTls): void {
    this.#tls = tls;
    const kept = new Set([...tls.certificates.map(keyOf), tls.clientCertificates?.ca]);
    for (const held of [this.#pairs, this.#authorities]) {
      for (const [key, files] of held) {
        if (kept.has(key)) continue;
        files.stop();
        held.delete(key);
      }
    }
    this.#rebuild();
  }

  /** For connections that ask for no name, and for the server as a whole. */
  defaultOptions(): SecureContextOptions {
    const [first] = this.#tls.certificates;
    return this.#optionsOf(first === undefined ? undefined : this.#pairs.get(keyOf(first))?.value);
  }

  /** By the exact name, then by a wildcard; else the first certificate's. */
  contextFor(host: string): SecureContext | undefined {
    const exact = host.toLowerCase();
    return (
      this.#contexts.find(({ names }) => names.includes(exact)) ??
      this.#contexts.find(({ names }) => names.some((name) => matchesHost(name, exact))) ??
      this.#contexts[0]
    )?.context;
  }

  states(): readonly CertificateState[] {
    return this.#tls.certificates.flatMap((files) => {
      const held = this.#pairs.get(keyOf(files));
      return held ? [{ file: files.cert, notAfterMs: held.value.notAfterMs, stale: held.stale }] : [];
    });
  }

  close(): void {
    for (const held of [...this.#pairs.values(), ...this.#authorities.values()]) held.stop();
    this.#pairs.clear();
    this.#authorities.clear();
  }

  async #hold<Value>(
    held: Map<string, WatchedFiles<Value>>,
    key: string,
    files: readonly string[],
    read: () => Promise<Value>,
  ): Promise<void> {
    const known = held.get(key);
    if (known) return known.refresh();
    const opened = await WatchedFiles.open({
      files,
      read,
      what: 'certificates of a listener',
      logger: this.#logger,
    });
    opened.listeners.add(() => this.#rebuild());
    held.get(key)?.stop();
    held.set(key, opened);
  }

  #rebuild(): void {
    this.#contexts = this.#tls.certificates.flatMap((files) => {
      const pair = this.#pairs.get(keyOf(files))?.value;
      return pair ? [{ names: pair.names, context: createSecureContext(this.#optionsOf(pair)) }] : [];
    });
    this.onChange();
  }

  #optionsOf(pair: Pair | undefined): SecureContextOptions {
    const ca = this.#authorities.get(this.#tls.clientCertificates?.ca ?? '')?.value;
    return {
      minVersion: this.#tls.minVersion,
      ciphers: CIPHERS,
      honorCipherOrder: true,
      ...(pair && { cert: pair.cert, key: pair.key }),
      ...(ca && { ca }),
    };
  }
}

async function readPair({ cert, key }: CertificateFiles): Promise<Pair> {
  const [certText, keyText] = await Promise.all([readFile(cert), readFile(key)]);
  const certificate = new X509Certificate(certText);
  // Throws when they are not of each other.
  createSecureContext({ cert: certText, key: keyText });
  const { altNames } = parseIdentity('', certificate.subjectAltName ?? '');
  return {
    cert: certText,
    key: keyText,
    names: altNames.flatMap((name) => (name.startsWith('DNS:') ? [name.slice(4).toLowerCase()] : [])),
    notAfterMs: Date.parse(certificate.validTo),
  };
}

async function readAuthority(ca: string): Promise<Buffer> {
  const text = await readFile(ca);
  createSecureContext({ ca: text });
  new X509Certificate(text);
  return text;
}

function keyOf({ cert, key }: CertificateFiles): string {
  return JSON.stringify([cert, key]);
}
