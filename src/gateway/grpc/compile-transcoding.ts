/**
 * Compiles the `transcode` policy of a route: reads its files, sorts its bindings, makes messages of requests. Knows
 * what a request says, not who sent it.
 * @module
 */

import protobuf from 'protobufjs';
import { type CallBinding, fieldNamed, readBindings } from '../../config/policies/proto-file.ts';
import type { TranscodePolicy } from '../../config/policies/transcode.ts';
import { framed } from './message-frames.ts';
import { BadMessage, readField, readMessage, type Values } from './proto-json.ts';

export interface CompiledTranscoding {
  readonly maxMessageBytes: number;
  /** Undefined: no method answers this request. */
  find(method: string, path: string): FoundCall | undefined;
}

export interface FoundCall {
  readonly binding: CallBinding;
  readonly variables: readonly string[];
}

/** Throws when the files cannot be used. */
export function compileTranscoding(policy: TranscodePolicy): CompiledTranscoding {
  const bindings = readBindings(policy);
  return {
    maxMessageBytes: policy.maxMessageBytes,
    find: (method, path) => {
      for (const binding of bindings) {
        const variables = binding.httpMethod === method ? binding.template.match(path) : undefined;
        if (variables !== undefined) return { binding, variables };
      }
      return undefined;
    },
  };
}

/** The framed message of a call. `body`: empty when there is none. Throws {@link BadMessage}. */
export function messageOf({ binding, variables }: FoundCall, query: string, body: Buffer): Buffer {
  const { request, template } = binding;
  const values: Values = {};
  readBody(binding, body, values);
  if (binding.body !== '*') {
    const seen = new Map<string, string[]>();
    for (const [name, value] of new URLSearchParams(query))
      seen.set(name, [...(seen.get(name) ?? []), value]);
    for (const [name, texts] of seen) assign(request, name.split('.'), texts, name, values);
  }
  for (const [index, name] of template.variables.entries()) {
    assign(request, name.split('.'), [variables[index] ?? ''], name, values);
  }
  return framed(request.encode(values).finish());
}

function readBody(binding: CallBinding, body: Buffer, values: Values): void {
  if (binding.body === '' || body.length === 0) return;
  let json: unknown;
  try {
    json = JSON.parse(body.toString('utf8'));
  } catch {
    throw new BadMessage('the body is no JSON');
  }
  if (binding.body === '*') {
    readMessage(binding.request, json, '', values);
    return;
  }
  const field = fieldNamed(binding.request, binding.body);
  if (field !== undefined) values[field.name] = readField(field, json, field.name);
}

/** What stands in the path wins over the query and the body. */
function assign(
  type: protobuf.Type,
  path: readonly string[],
  texts: readonly string[],
  name: string,
  values: Values,
): void {
  const [first = '', ...rest] = path;
  const field = fieldNamed(type, first)?.resolve();
  if (field === undefined) throw new BadMessage(`there is no field "${name}"`);
  if (rest.length === 0) {
    if (!field.repeated && texts.length > 1) throw new BadMessage(`"${name}" is there more than once`);
    values[field.name] = readField(field, field.repeated ? texts : texts[0], name);
    return;
  }
  if (!(field.resolvedType instanceof protobuf.Type) || field.repeated)
    throw new BadMessage(`"${name}" cannot be set here`);
  const before = values[field.name];
  const inner: Values = typeof before === 'object' && before !== null ? { ...before } : {};
  values[field.name] = inner;
  assign(field.resolvedType, rest, texts, name, inner);
}
