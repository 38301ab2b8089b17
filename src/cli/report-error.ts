/**
 * How an error ends a verb: what it says on stderr and the exit code. Knows no verb.
 * @module
 */

import pico from 'picocolors';
import type { Diagnostic } from '../config/diagnostic.ts';
import { renderDiagnostics } from '../config/render-diagnostic.ts';
import { ERRORS, SluiceError } from '../core/domain/errors.ts';
import { EXIT, type ExitCode, exitCodeOf } from './exit-codes.ts';
import { printable } from './render/text.ts';
import type { VerbContext } from './verb-context.ts';

/** Errors are said even with --quiet; with --json as one object on stderr. */
export function reportError(context: VerbContext, error: unknown): ExitCode {
  const { io } = context;
  if (io.signal.aborted) {
    context.talk('Interrupted; the rollout goes on.');
    return EXIT.interrupted;
  }
  const known = error instanceof SluiceError ? error : unexpected(error);
  const code = exitCodeOf(known.code);
  if (context.json) {
    const { message, detail, hint, data } = known;
    io.stderr.write(`${JSON.stringify({ error: { code: known.code, message, detail, hint, data } })}\n`);
    return code;
  }
  io.stderr.write(`${errorLines(known, context).join('\n')}\n`);
  return code;
}

function errorLines(error: SluiceError, context: VerbContext): readonly string[] {
  const { color } = context.render();
  const { red, dim } = pico.createColors(color);
  const requestId = error.code === 'INTERNAL' ? error.data.request_id : undefined;
  const { diagnostics, sources } = findingsOf(error);
  const detail = error.detail === undefined ? '' : `: ${printable(error.detail)}`;
  return [
    ...(diagnostics.length > 0 ? [renderDiagnostics(diagnostics, { color, sources })] : []),
    `${red('error:')} ${ERRORS[error.code].title}${detail}`,
    ...(error.hint === undefined ? [] : [`  ${printable(error.hint)}`]),
    ...(typeof requestId === 'string' ? [dim(`  request ${printable(requestId)}`)] : []),
  ];
}

/** CONFIG_INVALID carries them; anything of another shape is left to the detail. */
function findingsOf(error: SluiceError): {
  readonly diagnostics: readonly Diagnostic[];
  readonly sources: Readonly<Record<string, string>>;
} {
  const { diagnostics, sources } = error.data;
  const sound = Array.isArray(diagnostics) && diagnostics.every(isDiagnostic);
  if (error.code !== 'CONFIG_INVALID' || !sound) return { diagnostics: [], sources: {} };
  const texts = Object.entries(sources ?? {}).filter(
    (entry): entry is [string, string] => typeof entry[1] === 'string',
  );
  return { diagnostics, sources: Object.fromEntries(texts) };
}

function isDiagnostic(value: unknown): value is Diagnostic {
  if (typeof value !== 'object' || value === null) return false;
  const has = (key: string, type: string) => typeof Reflect.get(value, key) === type;
  const places = ['line', 'column', 'endLine', 'endColumn'].every((key) => has(key, 'number'));
  return places && has('file', 'string') && has('message', 'string') && has('severity', 'string');
}

/** A bug of ours: its text is all there is to go by. */
function unexpected(error: unknown): SluiceError {
  const detail = error instanceof Error ? error.message : String(error);
  return new SluiceError('INTERNAL', { detail, cause: error });
}
