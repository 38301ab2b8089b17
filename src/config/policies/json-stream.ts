/**
 * Which rules of a `json` policy can be kept while one large array passes element by element: those that stay within
 * an element, and those that take or leave a whole other part. Knows the file, no bodies.
 * @module
 */

import { type JsonPath, parseJsonPath } from '../../core/policy/transform/json-path.ts';
import type { Path, YamlSource } from '../yaml-source.ts';

/** The names before `[*]`; undefined when the text is not such a path. */
export function namesOfStream(text: string): readonly string[] | undefined {
  const path = parseJsonPath(text);
  if (path?.at(-1)?.kind !== 'each') return undefined;
  const way = path.slice(0, -1);
  return way.every(({ kind }) => kind === 'name') ? way.map(({ name }) => name) : undefined;
}

export interface StreamedRules {
  readonly stream?: string | undefined;
  readonly onError?: 'refuse' | 'pass' | undefined;
  readonly pick?: readonly string[] | undefined;
  readonly drop?: readonly string[] | undefined;
  readonly rename?: Readonly<Record<string, unknown>> | undefined;
  readonly set?: Readonly<Record<string, unknown>> | undefined;
}

export function checkStream(source: YamlSource, at: Path, rules: StreamedRules): void {
  const { stream } = rules;
  const names = stream === undefined ? undefined : namesOfStream(stream);
  if (stream === undefined || names === undefined) return;
  if (rules.onError === 'pass') {
    source.findings.error(
      source.valueRange([...at, 'onError']),
      'what is reshaped as it passes cannot go on as it came once some of it is out',
      'leave onError or stream out',
    );
  }
  for (const [index, text] of (rules.drop ?? []).entries()) {
    const place = placeOf(text, names);
    if (place === 'around' || place === 'one') refuse([...at, 'drop', index], text, false);
  }
  for (const kind of ['rename', 'set'] as const) {
    for (const text of Object.keys(rules[kind] ?? {})) {
      if (placeOf(text, names) !== 'within') refuse([...at, kind, text], text, true);
    }
  }
  const { pick } = rules;
  if (pick?.every((text) => placeOf(text, names) === 'beside')) {
    source.findings.error(
      source.valueRange([...at, 'pick']),
      `nothing of ${stream} is picked, so there is nothing to stream`,
    );
  }
  for (const [index, text] of (pick ?? []).entries()) {
    // `items` is every element whole; `items[0]` is known by its place only.
    if (placeOf(text, names) === 'one') refuse([...at, 'pick', index], text, false);
  }

  function refuse(place: Path, text: string, isKey: boolean): void {
    source.findings.error(
      isKey ? source.keyRange(place) : source.valueRange(place),
      `"${text}" does not stay within one element of ${stream}, which is reshaped as it passes`,
      `use paths below ${stream}, or leave stream out so that bodies are read whole`,
    );
  }
}

export interface StreamedRoute {
  /** The rules stand at the route itself, not in a policy. */
  readonly ownJson: boolean;
  /** Of the request's rules. */
  readonly rules: { readonly stream: readonly string[] | null; readonly maxBytes: number };
  /** Requests become gRPC calls. */
  readonly transcodes: boolean;
  /** Requests become XML. */
  readonly toXml: boolean;
  readonly maxBodyBytes: number;
}

/** What keeps the bodies of requests from being streamed, once a policy has met its route. `path` is the route's. */
export function checkRouteStream(source: YamlSource, path: Path, route: StreamedRoute): void {
  if (route.rules.stream === null) return;
  const { findings } = source;
  const place = route.ownJson
    ? source.keyRange([...path, 'json', 'request', 'stream'])
    : source.valueRange([...path, 'name']);
  if (route.transcodes) {
    findings.error(
      place,
      'a request that becomes a gRPC call is read whole, so json.request.stream cannot be kept',
      'leave json.request.stream out, or set transcode: false',
    );
  } else if (route.toXml) {
    findings.error(
      place,
      'a request that becomes XML is read whole, so json.request.stream cannot be kept',
      'leave json.request.stream out, or xml.request',
    );
  } else if (route.maxBodyBytes <= route.rules.maxBytes) {
    findings.warning(
      place,
      `nothing is gained by json.request.stream: maxBodyBytes is ${route.maxBodyBytes} here, as much as one element may have`,
      'raise maxBodyBytes, or lower json.request.maxBytes',
    );
  }
}

/**
 * Where a path leads, seen from the elements: within each of them, to one of them by its index, to the array or what
 * it is in, or beside the way to it.
 */
function placeOf(text: string, names: readonly string[]): 'within' | 'one' | 'around' | 'beside' {
  const path: JsonPath = parseJsonPath(text) ?? [];
  for (const [depth, name] of names.entries()) {
    const step = path[depth];
    if (step === undefined) return 'around';
    if (step.kind !== 'name' || step.name !== name) return 'beside';
  }
  const step = path[names.length];
  if (step === undefined) return 'around';
  if (step.kind === 'each') return 'within';
  return step.kind === 'index' ? 'one' : 'beside';
}
