/**
 * The JSON bodies of the actions: one schema per verb, unknown keys refused, turned into the port's Action.
 * Knows neither HTTP nor what an action does.
 * @module
 */

import * as z from 'zod';
import { SluiceError } from '../core/domain/errors.ts';
import type { Action } from '../ports/control.ts';

/** A plan sent along with `start`, in bytes of UTF-8. */
export const MAX_SOURCE_BYTES = 1024 * 1024;

const note = z.string().trim().max(1000).nullable().default(null);
/** What the one who asks has looked at. */
const expected = {
  expectStep: z.int().min(0).max(99).nullable().default(null),
  expectRun: z.int().min(1).nullable().default(null),
};

const source = z.strictObject({
  file: z.string().min(1).max(1024),
  text: z.string().refine((text) => Buffer.byteLength(text) <= MAX_SOURCE_BYTES, {
    error: `must be at most ${MAX_SOURCE_BYTES} bytes`,
  }),
});

const bodies = {
  start: z.strictObject({
    source: source.nullable().default(null),
    message: note,
    dryRun: z.boolean().default(false),
  }),
  pause: z.strictObject({ ...expected, reason: note }),
  resume: z.strictObject(expected),
  promote: z.strictObject({ ...expected, reason: note, full: z.boolean().default(false) }),
  abort: z.strictObject({ ...expected, reason: note }),
  retry: z.strictObject({ ...expected, message: note }),
  undo: z.strictObject({ ...expected, reason: note }),
} as const;

export type ActionKind = Action['kind'];
export const ACTION_KINDS: readonly ActionKind[] = [
  'start',
  'pause',
  'resume',
  'promote',
  'abort',
  'retry',
  'undo',
];

export interface ParsedAction {
  readonly action: Action;
  readonly expectStep: number | null;
  readonly expectRun: number | null;
}

/** An absent body counts as `{}`. Throws BAD_REQUEST with `data.issues: { path, message }[]`. */
export function parseAction(kind: ActionKind, body: unknown): ParsedAction {
  const given = body ?? {};
  switch (kind) {
    case 'start': {
      const { source: plan, message, dryRun } = parse(bodies.start, given);
      return { action: { kind, source: plan, message, dryRun }, expectStep: null, expectRun: null };
    }
    case 'pause': {
      const { reason, ...rest } = parse(bodies.pause, given);
      return { action: { kind, reason }, ...rest };
    }
    case 'resume':
      return { action: { kind }, ...parse(bodies.resume, given) };
    case 'promote': {
      const { reason, full, ...rest } = parse(bodies.promote, given);
      return { action: { kind, full, reason }, ...rest };
    }
    case 'abort': {
      const { reason, ...rest } = parse(bodies.abort, given);
      return { action: { kind, reason: reason || 'requested' }, ...rest };
    }
    case 'retry': {
      const { message, ...rest } = parse(bodies.retry, given);
      return { action: { kind, message }, ...rest };
    }
    case 'undo': {
      const { reason, ...rest } = parse(bodies.undo, given);
      return { action: { kind, reason }, ...rest };
    }
  }
}

/** Also parses query strings. */
export function parse<S extends z.ZodType>(schema: S, input: unknown): z.output<S> {
  const result = schema.safeParse(input);
  if (result.success) return result.data;
  const issues = result.error.issues.map((issue) => ({
    path: issue.path.map(String).join('.'),
    message: issue.message,
  }));
  const detail = issues.map(({ path, message }) => (path ? `${path}: ${message}` : message)).join('; ');
  throw new SluiceError('BAD_REQUEST', { detail, data: { issues } });
}
