/**
 * Messages as JSON and back, as proto3 says: names in lower camel case (those of the file are read as well), 64-bit
 * numbers as text, enums by name, bytes in base64. Knows types and values; no requests.
 * @module
 */

import protobuf from 'protobufjs';
import { fieldNamed } from '../../config/policies/proto-file.ts';
import { fromWellKnown, isWrapper, toWellKnown } from './well-known.ts';

const MAX_DEPTH = 64;

/** The JSON is no such message. The text says where and why. */
export class BadMessage extends Error {}

export type Values = Record<string, unknown>;

/** Adds what the JSON object says to `values`, which is what protobufjs encodes. Throws {@link BadMessage}. */
export function readMessage(
  type: protobuf.Type,
  json: unknown,
  at: string,
  values: Values = {},
  depth = 0,
): Values {
  if (typeof json !== 'object' || json === null || Array.isArray(json))
    throw new BadMessage(`${at || 'the body'} must be an object`);
  if (depth > MAX_DEPTH) throw new BadMessage(`${at} is nested too deeply`);
  for (const [name, value] of Object.entries(json)) {
    const place = at === '' ? name : `${at}.${name}`;
    const field = fieldNamed(type, name);
    if (field === undefined) throw new BadMessage(`there is no field "${place}"`);
    // What is null is not there.
    if (value !== null) values[field.name] = readField(field, value, place, depth);
  }
  return values;
}

export function readField(field: protobuf.Field, value: unknown, at: string, depth = 0): unknown {
  field.resolve();
  if (field instanceof protobuf.MapField) {
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      throw new BadMessage(`${at} must be an object`);
    return Object.fromEntries(
      Object.entries(value).map(([key, each]) => [key, readOne(field, each, `${at}.${key}`, depth)]),
    );
  }
  if (!field.repeated) return readOne(field, value, at, depth);
  if (!Array.isArray(value)) throw new BadMessage(`${at} must be a list`);
  return value.map((each, index) => readOne(field, each, `${at}[${index}]`, depth));
}

function readOne(field: protobuf.Field, value: unknown, at: string, depth: number): unknown {
  const { resolvedType } = field;
  if (resolvedType instanceof protobuf.Enum) return readEnum(resolvedType, value, at);
  if (resolvedType instanceof protobuf.Type) {
    const only = isWrapper(resolvedType.fullName) ? resolvedType.fields.value : undefined;
    if (only !== undefined) return { value: readField(only, value, at) };
    const known = fromWellKnown(resolvedType.fullName, value);
    if (known === 'bad') throw new BadMessage(`${at} is no ${resolvedType.name}`);
    return known ?? readMessage(resolvedType, value, at, {}, depth + 1);
  }
  const scalar = readScalar(field.type, value);
  if (scalar === undefined)
    throw new BadMessage(`${at} must be ${WANTED[field.type] ?? 'a whole number in range'}`);
  return scalar;
}

function readEnum(type: protobuf.Enum, value: unknown, at: string): number {
  const byName =
    typeof value === 'string' && Object.hasOwn(type.values, value) ? type.values[value] : undefined;
  const number =
    byName ?? (typeof value === 'number' || /^-?\d+$/.test(String(value)) ? Number(value) : Number.NaN);
  if (!Number.isInteger(number))
    throw new BadMessage(`${at} must be one of ${Object.keys(type.values).join(', ')}`);
  return number;
}

const WANTED: Readonly<Record<string, string>> = {
  string: 'text',
  bool: 'true or false',
  bytes: 'base64',
  double: 'a number',
  float: 'a number',
};

const RANGES: Readonly<Record<string, readonly [bigint, bigint]>> = {
  int32: [-(2n ** 31n), 2n ** 31n - 1n],
  sint32: [-(2n ** 31n), 2n ** 31n - 1n],
  sfixed32: [-(2n ** 31n), 2n ** 31n - 1n],
  uint32: [0n, 2n ** 32n - 1n],
  fixed32: [0n, 2n ** 32n - 1n],
  int64: [-(2n ** 63n), 2n ** 63n - 1n],
  sint64: [-(2n ** 63n), 2n ** 63n - 1n],
  sfixed64: [-(2n ** 63n), 2n ** 63n - 1n],
  uint64: [0n, 2n ** 64n - 1n],
  fixed64: [0n, 2n ** 64n - 1n],
};

function readScalar(type: string, value: unknown): unknown {
  switch (type) {
    case 'string':
      return typeof value === 'string' ? value : undefined;
    case 'bool':
      return value === true || value === 'true'
        ? true
        : value === false || value === 'false'
          ? false
          : undefined;
    case 'bytes':
      return typeof value === 'string' && /^[\w+/-]*={0,2}$/.test(value)
        ? Buffer.from(value, 'base64')
        : undefined;
    case 'double':
    case 'float':
      return readFloat(value);
    default:
      return readInteger(type, value);
  }
}

function readFloat(value: unknown): number | undefined {
  if (typeof value === 'number') return value;
  if (value === 'NaN' || value === 'Infinity' || value === '-Infinity') return Number(value);
  return typeof value === 'string' && /^-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?$/.test(value)
    ? Number(value)
    : undefined;
}

function readInteger(type: string, value: unknown): number | string | undefined {
  const text = typeof value === 'number' && Number.isInteger(value) ? BigInt(value).toString() : value;
  const range = RANGES[type];
  if (typeof text !== 'string' || !/^-?\d{1,20}$/.test(text) || range === undefined) return undefined;
  const number = BigInt(text);
  if (number < range[0] || number > range[1]) return undefined;
  return type.endsWith('64') ? number.toString() : Number(number);
}

/** What is on the wire; fields with their default values are left out, as proto3 JSON does. */
export function writeMessage(type: protobuf.Type, message: object): unknown {
  const known = toWellKnown(type.fullName, message);
  if (known !== undefined) return known;
  const json: Values = {};
  for (const field of type.fieldsArray) {
    if (!Object.hasOwn(message, field.name)) continue;
    // Lists and maps are there also when they are empty.
    const manifold = field.repeated || field instanceof protobuf.MapField;
    if (manifold && Object.keys((message as Values)[field.name] ?? {}).length === 0) continue;
    json[field.options?.json_name ?? field.name] = writeField(field, (message as Values)[field.name]);
  }
  return json;
}

export function writeField(field: protobuf.Field, value: unknown): unknown {
  field.resolve();
  if (field instanceof protobuf.MapField && typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, writeOne(field, each)]));
  }
  return Array.isArray(value) ? value.map((each) => writeOne(field, each)) : writeOne(field, value);
}

function writeOne({ resolvedType, type }: protobuf.Field, value: unknown): unknown {
  if (resolvedType instanceof protobuf.Enum) return resolvedType.valuesById[Number(value)] ?? value;
  if (resolvedType instanceof protobuf.Type && typeof value === 'object' && value !== null)
    return writeMessage(resolvedType, value);
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  if (type.endsWith('64')) return String(value);
  return typeof value === 'number' && !Number.isFinite(value) ? String(value) : value;
}
