/**
 * What every verb gets: its settings, where to write data and talk, and a client on demand.
 * Knows the global options; knows no verb.
 * @module
 */

import { SluiceError } from '../core/domain/errors.ts';
import type { CliIo } from './cli-io.ts';
import { ControlClient } from './client.ts';
import type { RenderOptions } from './render/text.ts';

/** Global options as Commander names them. */
export interface GlobalOptions {
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly color?: boolean;
  readonly yes?: boolean;
  readonly input?: boolean;
  readonly server?: string;
  readonly tokenFile?: string;
}

export interface VerbContext {
  readonly io: CliIo;
  readonly json: boolean;
  readonly quiet: boolean;
  readonly yes: boolean;
  /** Whether a person can be asked. */
  readonly canAsk: boolean;
  /** For the terminal as it is now. */
  render(): RenderOptions;
  /** To stdout; adds the line end. */
  data(lines: readonly string[] | string): void;
  /** One JSON value on one line to stdout. */
  dataJson(value: unknown): void;
  /** To stderr, unless --quiet; adds the line end. */
  talk(lines: readonly string[] | string): void;
  /** Reads the token and makes the client. Throws USAGE. */
  connect(): Promise<ControlClient>;
}

const DEFAULT_SERVER = 'http://127.0.0.1:7070';

export function createVerbContext(io: CliIo, options: GlobalOptions): VerbContext {
  const quiet = options.quiet ?? false;
  const color = io.color && options.color !== false && !io.env.NO_COLOR;
  const text = (lines: readonly string[] | string) =>
    `${typeof lines === 'string' ? lines : lines.join('\n')}\n`;
  return {
    io,
    json: options.json ?? false,
    quiet,
    yes: options.yes ?? false,
    canAsk: options.input !== false && io.keyboard !== null,
    render: () => ({
      columns: Math.max(40, io.columns()),
      color,
      unicode: io.unicode,
      timeZone: io.timeZone,
    }),
    data: (lines) => void io.stdout.write(text(lines)),
    dataJson: (value) => void io.stdout.write(`${JSON.stringify(value)}\n`),
    talk: (lines) => {
      if (!quiet) io.stderr.write(text(lines));
    },
    connect: async () =>
      new ControlClient({
        server: serverOf(options.server ?? io.env.SLUICE_SERVER ?? DEFAULT_SERVER),
        token: await tokenOf(io, options.tokenFile),
        user: io.user,
        fetch: io.fetch ?? fetch,
        signal: io.signal,
      }),
  };
}

function serverOf(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url && /^https?:$/.test(url.protocol) && !url.username && !url.password) {
    return `${url.origin}${url.pathname.replace(/\/+$/, '')}`;
  }
  throw new SluiceError('USAGE', {
    detail: `the server must be an http(s) URL without credentials, got "${text}"`,
    hint: `Such as --server ${DEFAULT_SERVER}`,
  });
}

/** A secret on the command line would show in `ps` and in the shell's history, so there is no flag for it. */
async function tokenOf(io: CliIo, file: string | undefined): Promise<string | null> {
  const token = file === undefined ? io.env.SLUICE_TOKEN : await readText(io, file);
  const trimmed = token?.trim();
  if (trimmed === undefined || (trimmed === '' && file === undefined)) return null;
  if (/^[\x21-\x7e]+$/.test(trimmed)) return trimmed;
  throw new SluiceError('USAGE', { detail: `${file ?? 'SLUICE_TOKEN'} does not hold a token` });
}

/** Throws USAGE when the file can't be read. */
export async function readText(io: CliIo, path: string): Promise<string> {
  try {
    return await io.readFile(path);
  } catch (error) {
    const cause = error instanceof Error ? error.message : String(error);
    throw new SluiceError('USAGE', { detail: `cannot read ${path}: ${cause}`, cause: error });
  }
}
