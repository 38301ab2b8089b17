/**
 * Reads `.proto` files: the messages and methods in them, and which HTTP request each method answers. Owns what is said
 * about files that cannot be used; knows no requests.
 * @module
 */

import { readFileSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import protobuf from 'protobufjs';
import { compilePathTemplate, type PathTemplate } from '../../core/policy/grpc/path-template.ts';

/** What `google.api.http` may say: a verb with its template, `body`, `responseBody`. */
export type MethodRule = Readonly<Record<string, string | undefined>>;

/** One HTTP request that is one call. */
export interface CallBinding {
  readonly httpMethod: string;
  readonly template: PathTemplate;
  /** `*`: the whole message; a field; empty: there is no body. */
  readonly body: string;
  /** Field of the answer that is sent instead of all of it; empty: all. */
  readonly responseBody: string;
  /** `/shop.Orders/Get` */
  readonly path: string;
  readonly request: protobuf.Type;
  readonly response: protobuf.Type;
  readonly streams: boolean;
}

/** What is wrong, with the file and line where that is known. `method`: of the explicit mapping. */
export class ProtoProblem extends Error {
  readonly method: string | null;

  constructor(message: string, method: string | null = null) {
    super(message);
    this.method = method;
  }
}

export interface ProtoRules {
  /** Absolute. */
  readonly proto: string;
  /** Null: all that have rules. */
  readonly services: readonly string[] | null;
  readonly methods: Readonly<Record<string, MethodRule>>;
}

const MAX_FILES = 100;
const VERBS = ['get', 'put', 'post', 'delete', 'patch'] as const;

/** Throws a {@link ProtoProblem}. */
export function readBindings(rules: ProtoRules): CallBinding[] {
  const root = readRoot(rules.proto);
  const services = (rules.services ?? allServices(root)).map((name) => serviceOf(root, name, rules.proto));
  const bindings: CallBinding[] = [];
  for (const service of services) {
    for (const method of service.methodsArray) {
      const name = `${service.fullName.slice(1)}/${method.name}`;
      if (!Object.hasOwn(rules.methods, name)) bindings.push(...annotated(method, name));
    }
  }
  for (const [name, rule] of Object.entries(rules.methods)) {
    const [service = '', method = ''] = name.split('/');
    const found = serviceOf(root, service, rules.proto, name).methods[method];
    if (found === undefined) throw new ProtoProblem(`there is no method "${method}" in ${service}`, name);
    bindings.push(...bindingsOf(found, name, rule, name));
  }
  if (bindings.length === 0) {
    throw new ProtoProblem(
      `${basename(rules.proto)}: no method has a google.api.http option, and none is mapped here`,
    );
  }
  return bindings;
}

function readRoot(path: string): protobuf.Root {
  const root = new protobuf.Root();
  const seen = new Set<string>();
  const read = (file: string): void => {
    if (seen.has(file)) return;
    seen.add(file);
    if (seen.size > MAX_FILES)
      throw new ProtoProblem(`${basename(path)} imports more than ${MAX_FILES} files`);
    for (const name of parse(file, root)) {
      const common = protobuf.common.get(name);
      if (common?.nested != null) root.addJSON(common.nested);
      // The options themselves need no definition.
      else if (!name.startsWith('google/api/')) read(resolve(dirname(path), name));
    }
  };
  read(path);
  try {
    root.resolveAll();
  } catch (error) {
    throw new ProtoProblem(`${basename(path)}: ${messageOf(error)}`);
  }
  return root;
}

/** Names of imports. */
function parse(file: string, root: protobuf.Root): readonly string[] {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new ProtoProblem(`${basename(file)} cannot be read: ${messageOf(error)}`);
  }
  try {
    const { imports, weakImports } = protobuf.parse(text, root);
    return [...(imports ?? []), ...(weakImports ?? [])];
  } catch (error) {
    const [, what = '', line] = /^(.*?)(?: \(line (\d+)\))?$/s.exec(messageOf(error)) ?? [];
    throw new ProtoProblem(`${basename(file)}${line === undefined ? '' : `:${line}`}: ${what}`);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function allServices(root: protobuf.NamespaceBase): string[] {
  return root.nestedArray.flatMap((each) => {
    if (each instanceof protobuf.Service) return [each.fullName.slice(1)];
    return each instanceof protobuf.Namespace ? allServices(each) : [];
  });
}

function serviceOf(
  root: protobuf.Root,
  name: string,
  proto: string,
  method: string | null = null,
): protobuf.Service {
  const found = root.lookup(name, [protobuf.Service]);
  if (found instanceof protobuf.Service) return found;
  throw new ProtoProblem(`${basename(proto)} has no service "${name}"`, method);
}

function annotated(method: protobuf.Method, name: string): CallBinding[] {
  const options: unknown = method.parsedOptions;
  const list: readonly unknown[] = Array.isArray(options) ? options : [];
  return list.flatMap((option) => {
    const rule = isRecord(option) ? option['(google.api.http)'] : undefined;
    if (!isRecord(rule)) return [];
    const more = [rule.additional_bindings ?? []].flat();
    return [rule, ...more].filter(isRecord).flatMap((each) => bindingsOf(method, name, each, null));
  });
}

function bindingsOf(
  method: protobuf.Method,
  name: string,
  rule: Readonly<Record<string, unknown>>,
  explicit: string | null,
): CallBinding[] {
  method.resolve();
  const { resolvedRequestType: request, resolvedResponseType: response } = method;
  if (request === null || response === null) return [];
  if (method.requestStream === true) {
    if (explicit === null) return [];
    throw new ProtoProblem(`${name} takes a stream of messages, which a JSON request cannot be`, explicit);
  }
  const text = (key: string): string => (typeof rule[key] === 'string' ? rule[key] : '');
  return VERBS.filter((verb) => text(verb) !== '').map((verb) => {
    const template = compilePathTemplate(text(verb));
    if (template === undefined)
      throw new ProtoProblem(`${name}: "${text(verb)}" is no path template`, explicit);
    for (const field of template.variables) {
      if (!hasField(request, field)) {
        throw new ProtoProblem(`${name}: ${request.name} has no field "${field}"`, explicit);
      }
    }
    return {
      httpMethod: verb.toUpperCase(),
      template,
      body: text('body'),
      responseBody: text('response_body') || text('responseBody'),
      path: `/${name}`,
      request,
      response,
      streams: method.responseStream === true,
    };
  });
}

function hasField(type: protobuf.Type, path: string): boolean {
  const [first = '', ...rest] = path.split('.');
  const field = fieldNamed(type, first)?.resolve();
  if (field === undefined || rest.length === 0) return field !== undefined;
  return field.resolvedType instanceof protobuf.Type && hasField(field.resolvedType, rest.join('.'));
}

/** By its name in the file or in JSON. */
export function fieldNamed(type: protobuf.Type, name: string): protobuf.Field | undefined {
  const camel = name.replace(/_([a-z0-9])/g, (_whole, letter: string) => letter.toUpperCase());
  if (Object.hasOwn(type.fields, camel)) return type.fields[camel];
  return Object.hasOwn(type.fields, name) ? type.fields[name] : undefined;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
