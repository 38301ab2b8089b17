/**
 * Runs a zod schema over a YAML source and reports every issue at the key or value that it is about.
 * Owns the choice of place and of the union branch; the words are in `schema-message.ts`.
 * @module
 */

import type * as z from 'zod';
import { closest, suggestion } from './edit-distance.ts';
import { MAX_DIAGNOSTICS } from './findings.ts';
import { INLINE_SECRET } from './primitives.ts';
import { knownKeys, schemasAt, unionOptions } from './schema-keys.ts';
import { describeIssue, describePath, describeValue, expectation } from './schema-message.ts';
import type { Path, YamlSource } from './yaml-source.ts';

type Issue = z.core.$ZodIssue;
type Schema = z.core.$ZodType;

interface Report {
  readonly source: YamlSource;
  readonly schema: Schema;
  /** Keys (by path) that a misspelt neighbour stands for: reporting them as missing would say it twice. */
  readonly meant: Set<string>;
}

/** The parsed value, or undefined when there was any issue; all issues go to the source's findings. */
export function checkSchema<T>(source: YamlSource, schema: z.ZodType<T>): T | undefined {
  if (source.value === undefined) return undefined;
  const result = schema.safeParse(source.value);
  if (result.success) return result.data;
  reportIssues({ source, schema, meant: new Set() }, [], result.error.issues);
  return undefined;
}

function reportIssues(report: Report, base: Path, issues: readonly Issue[]): void {
  for (const issue of issues) {
    if (issue.code === 'unrecognized_keys') reportUnknownKeys(report, [...base, ...issue.path], issue.keys);
  }
  for (const issue of issues) {
    if (issue.code !== 'unrecognized_keys') reportIssue(report, [...base, ...issue.path], issue);
  }
}

function reportIssue(report: Report, path: Path, issue: Issue): void {
  const { source } = report;
  if (issue.code === 'invalid_key') {
    const inner = issue.issues[0];
    const key = String(path.at(-1) ?? '');
    const message = inner ? describeIssue(inner, key).message : `"${key}" cannot be a key here`;
    source.findings.error(source.keyRange(path), message);
    return;
  }
  const value = valueAt(source.value, path);
  if (value === undefined && path.length > 0) {
    reportMissing(report, path, issue);
    return;
  }
  if (issue.code === 'invalid_union' && reportBranch(report, path, issue.errors, value)) return;
  const { message, hint } = describeIssue(issue, value);
  const place = source.valueRange(path);
  if (message === INLINE_SECRET) source.findings.sensitive(place, message);
  else source.findings.error(place, message, hint);
}

function reportMissing({ source, meant }: Report, path: Path, issue: Issue): void {
  if (meant.has(describePath(path))) return;
  const parent = path.slice(0, -1);
  const where = parent.length === 0 ? '' : ` in ${describePath(parent)}`;
  const expected = expectation(issue);
  source.findings.error(source.keyRange(parent), `missing key "${String(path.at(-1))}"${where}: ${expected}`);
}

function reportUnknownKeys({ source, schema, meant }: Report, path: Path, keys: readonly string[]): void {
  const present = Object.keys(Object(valueAt(source.value, path)));
  const free = knownKeys(schemasAt(schema, path)).filter((key) => !present.includes(key));
  const where = path.length === 0 ? '' : ` in ${describePath(path)}`;
  for (const [index, key] of keys.entries()) {
    // Nobody sees more of them, and comparing words is slow.
    const match = index < MAX_DIAGNOSTICS ? closest(key, free) : undefined;
    if (match !== undefined) meant.add(describePath([...path, match]));
    const hint =
      key === '<<'
        ? 'merge keys are not supported; a policy can extend another one'
        : index < MAX_DIAGNOSTICS
          ? suggestion(key, free)
          : undefined;
    source.findings.error(source.keyRange([...path, key]), `unknown key "${key}"${where}`, hint);
  }
}

/** Reports the issues of the branch that the value was most likely meant for; false when none stands out. */
function reportBranch(
  report: Report,
  path: Path,
  branches: readonly (readonly Issue[])[],
  value: unknown,
): boolean {
  const fitting = branches
    .map((issues, index) => ({ issues, index }))
    .filter(({ issues }) => !issues.some(isAboutWhole));
  const [first] = fitting;
  if (!first) return false;
  if (fitting.length === 1) {
    reportIssues(report, path, first.issues);
    return true;
  }
  const options = unionOptions(schemasAt(report.schema, path), branches.length);
  const keys = Object.keys(Object(value));
  const ranked = fitting
    .map(({ issues, index }) => {
      const option = options[index];
      const known = option ? knownKeys([option]) : [];
      return { issues, shared: keys.filter((key) => known.includes(key)).length };
    })
    .sort((a, b) => b.shared - a.shared || a.issues.length - b.issues.length);
  const best = ranked[0];
  if (best && best.shared > 0) {
    reportIssues(report, path, best.issues);
    return true;
  }
  const all = knownKeys(options);
  const misspelt = keys.filter((key) => closest(key, all) !== undefined);
  if (misspelt.length === 0) return false;
  reportUnknownKeys(report, path, misspelt);
  return true;
}

/** Whether the value as a whole has the wrong shape for this branch. */
function isAboutWhole(issue: Issue): boolean {
  return (
    issue.path.length === 0 &&
    (issue.code === 'invalid_type' || issue.code === 'invalid_value' || issue.code === 'invalid_union')
  );
}

function valueAt(root: unknown, path: Path): unknown {
  let value = root;
  for (const step of path) {
    if (value === null || typeof value !== 'object' || !Object.hasOwn(value, step)) return undefined;
    value = Reflect.get(value, step);
  }
  return value;
}

/** Says that the text as a whole is not the map that every configuration file is; true when it is one. */
export function checkIsMap(source: YamlSource, what: string): boolean {
  const { value } = source;
  if (value === undefined) return false;
  if (value !== null && typeof value === 'object' && !Array.isArray(value)) return true;
  source.findings.error(source.valueRange([]), `expected a map of ${what}, got ${describeValue(value)}`);
  return false;
}
