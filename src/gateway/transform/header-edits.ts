/**
 * Fields set, added and removed by the `headers` policy, in either direction. Knows lists of fields and templates;
 * which names are allowed was checked when the file was loaded.
 * @module
 */

import type { PathMatch } from '../../config/gateway-model.ts';
import type { HeaderEdits } from '../../config/policies/headers.ts';
import { plainName } from '../../core/policy/cache/caller-fields.ts';
import { fieldSafe } from '../../core/policy/transform/text-template.ts';
import type { FieldEditor, TextFiller } from './transform-model.ts';
import { compileText } from './variables.ts';

export function compileHeaderEdits(
  edits: HeaderEdits | null | undefined,
  path: PathMatch,
): FieldEditor | null {
  if (!edits) return null;
  const compiled = (fields: HeaderEdits['set']): { name: string; fill: TextFiller }[] =>
    fields.map(({ name, value }) => ({ name, fill: compileText(value, path, fieldSafe) }));
  const set = compiled(edits.set);
  const add = compiled(edits.add);
  // A field that is set goes even when its template has no value: nobody else may fill it in then, nor its twin with `_`.
  const gone = new Set(
    [...edits.remove, ...set.map(({ name }) => name)].map((name) => plainName(name.toLowerCase())),
  );
  return (exchange, fields) => {
    const edited: string[] = [];
    for (let i = 0; i + 1 < fields.length; i += 2) {
      const name = fields[i] as string;
      if (!gone.has(plainName(name.toLowerCase()))) edited.push(name, fields[i + 1] as string);
    }
    for (const list of [set, add]) {
      for (const { name, fill } of list) {
        const value = fill(exchange)?.trim();
        if (value !== undefined && value !== '') edited.push(name, value);
      }
    }
    return edited;
  };
}
