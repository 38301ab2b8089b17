/**
 * Large JSON texts, read and written in slices. Pure; means exactly what `JSON.parse` and `JSON.stringify` mean, which do
 * the work, a run of values at a time.
 * @module
 */

import type { JsonValue } from './json-map.ts';
import type { Sliced } from './sliced.ts';

/** Read in one slice, bytes. Objects with names of their own take longest. */
export const JSON_SLICE_BYTES = 16_384;
/** Written in one slice: characters, or values of which each is a few. */
const SLICE_CHARS = 16_384;
const SLICE_VALUES = 4_096;
/** What a value of up to so many values, nested so deep, holds is written in one go. */
const SMALL_VALUES = 256;
const SMALL_DEPTH = 4;
/** Of a text, in the time that another value takes. */
const TEXT_CHARS = 64;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const BOM = [0xef, 0xbb, 0xbf] as const;
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

type Container = JsonValue[] | { [name: string]: JsonValue };

/** An object or array that is too large for one run: its values are put into it run by run. */
interface Entered {
  readonly into: Container;
  /** What came last: `(` is its opening bracket, `v` a value that was entered itself. */
  last: '(' | ',' | 'v';
}

/** One of which nothing has been put anywhere, as it may end within the run. */
interface Pending {
  readonly from: number;
  readonly isArray: boolean;
  /** Where the value or member begins that is being read. */
  item: number;
}

/** Deeper, a text of more than a slice is refused: what walks it later may be recursive. */
const MAX_DEPTH = 4_096;

/** Throws RangeError when it is nested too deep, SyntaxError or TypeError when it is no JSON in UTF-8. */
export function* readJson(bytes: Uint8Array): Sliced<JsonValue> {
  if (bytes.length <= JSON_SLICE_BYTES) return JSON.parse(textOf(bytes, afterBom(bytes), bytes.length));
  const reader = new JsonReader(bytes);
  for (let to = JSON_SLICE_BYTES; to < bytes.length; to += JSON_SLICE_BYTES) {
    reader.read(to);
    yield;
  }
  reader.read(bytes.length);
  return reader.end();
}

function afterBom(bytes: Uint8Array): number {
  return BOM.every((byte, at) => bytes[at] === byte) ? BOM.length : 0;
}

function textOf(bytes: Uint8Array, from: number, to: number): string {
  return UTF8.decode(bytes.subarray(from, to));
}

class JsonReader {
  readonly #bytes: Uint8Array;
  /** The text as a whole is the one element of the outermost. */
  readonly #whole: JsonValue[] = [];
  readonly #entered: Entered[];
  #pending: Pending[] = [];
  #at: number;
  /** Where what belongs to the innermost that was entered, and is not in it yet, begins. */
  #from: number;
  /** Where the value or member of that begins which is being read. */
  #item: number;
  #inString = false;
  #escaped = false;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#entered = [{ into: this.#whole, last: '(' }];
    this.#at = afterBom(bytes);
    this.#from = this.#at;
    this.#item = this.#at;
  }

  read(to: number): void {
    const bytes = this.#bytes;
    for (let at = this.#at; at < to; at += 1) {
      const byte = bytes[at] as number;
      if (this.#inString) {
        if (this.#escaped) this.#escaped = false;
        else if (byte === BACKSLASH) this.#escaped = true;
        else if (byte === QUOTE) this.#inString = false;
      } else if (byte === QUOTE) {
        this.#inString = true;
      } else if (byte === COMMA) {
        this.#comma(at);
      } else if (byte === OPEN_ARRAY || byte === OPEN_OBJECT) {
        if (this.#entered.length + this.#pending.length > MAX_DEPTH)
          throw new RangeError('it is nested too deep');
        this.#pending.push({ from: at, isArray: byte === OPEN_ARRAY, item: at + 1 });
      } else if (byte === CLOSE_ARRAY || byte === CLOSE_OBJECT) {
        this.#close(at, byte === CLOSE_ARRAY);
      }
    }
    this.#at = to;
    if (to - this.#from >= JSON_SLICE_BYTES) this.#putAside();
  }

  end(): JsonValue {
    const [outermost] = this.#entered;
    if (outermost === undefined || this.#entered.length > 1 || this.#pending.length > 0 || this.#inString)
      throw new SyntaxError('the text ends too early');
    this.#put(outermost, this.#bytes.length);
    const [value] = this.#whole;
    if (value === undefined || this.#whole.length > 1) throw new SyntaxError('expected one value');
    return value;
  }

  #comma(at: number): void {
    const pending = this.#pending.at(-1);
    if (pending !== undefined) {
      pending.item = at + 1;
      return;
    }
    this.#item = at + 1;
    const entered = this.#innermost();
    if (entered.last === 'v') this.#putUpTo(entered, at);
  }

  #close(at: number, isArray: boolean): void {
    if (this.#pending.pop() !== undefined) return;
    const entered = this.#entered.length > 1 ? this.#entered.pop() : undefined;
    if (entered === undefined || Array.isArray(entered.into) !== isArray)
      throw new SyntaxError('a bracket closes nothing');
    this.#put(entered, at);
    this.#innermost().last = 'v';
    this.#from = at + 1;
    this.#item = at + 1;
  }

  #innermost(): Entered {
    return this.#entered.at(-1) as Entered;
  }

  /** All values that are whole go where they belong, so that what is kept is no more than one run. */
  #putAside(): void {
    let entered = this.#innermost();
    if (this.#item > this.#from) this.#putUpTo(entered, this.#item - 1);
    for (const { from, isArray, item } of this.#pending) {
      if (entered.last === 'v') throw new SyntaxError('expected a comma');
      const into: Container = isArray ? [] : {};
      add(entered.into, this.#nameOf(entered.into, from), into);
      entered = { into, last: '(' };
      this.#entered.push(entered);
      this.#from = from + 1;
      this.#item = item;
      if (item > this.#from) this.#putUpTo(entered, item - 1);
    }
    this.#pending = [];
  }

  /** `comma`: the one behind the values. */
  #putUpTo(entered: Entered, comma: number): void {
    this.#put(entered, comma);
    entered.last = ',';
    this.#from = comma + 1;
  }

  /** Puts what is between the last comma or bracket and `to` into it. */
  #put({ into, last }: Entered, to: number): void {
    const run = textOf(this.#bytes, this.#from, to);
    const isArray = Array.isArray(into);
    if (/^[\t\n\r ]*$/.test(run)) {
      const isEmpty = last === '(' && this.#bytes[to] !== COMMA;
      if (last !== 'v' && !isEmpty) throw new SyntaxError('expected a value');
      return;
    }
    if (last === 'v') throw new SyntaxError('expected a comma');
    const values = JSON.parse(isArray ? `[${run}]` : `{${run}}`) as Container;
    if (isArray) for (const value of values as JsonValue[]) into.push(value);
    else for (const [name, value] of Object.entries(values)) add(into, name, value);
  }

  /** Of the value that begins at `to`. */
  #nameOf(into: Container, to: number): string {
    const text = textOf(this.#bytes, this.#from, to);
    // With a value behind it, it is a member if it is a name with a colon.
    const names = Object.keys(JSON.parse(Array.isArray(into) ? `[${text}{"":0}]` : `{${text}0}`));
    if (names.length !== 1) throw new SyntaxError('expected a name');
    return names[0] as string;
  }
}

/** As JSON.parse does it: `__proto__` is a name like any other. */
function add(into: Container, name: string, value: JsonValue): void {
  if (Array.isArray(into)) into.push(value);
  else if (name === '__proto__')
    Object.defineProperty(into, name, { value, enumerable: true, configurable: true, writable: true });
  else into[name] = value;
}

/** An object or array of which a part is written. */
interface Written {
  readonly from: Container;
  /** Null: an array. */
  readonly names: readonly string[] | null;
  readonly length: number;
  next: number;
}

/** Pieces of the text. */
export function* writeJson(value: JsonValue): Sliced<readonly string[]> {
  const pieces: string[] = [];
  const open: Written[] = [];
  let out = '';
  let values = 0;
  const write = (each: JsonValue): void => {
    const names = namesOf(each);
    const weight = weightOf(each, names, SMALL_VALUES, SMALL_DEPTH);
    values += Math.abs(weight);
    if (weight > 0 || typeof each !== 'object' || each === null) {
      out += JSON.stringify(each);
    } else {
      out += names === null ? '[' : '{';
      open.push({ from: each, names, length: names?.length ?? (each as JsonValue[]).length, next: 0 });
    }
  };
  write(value);
  for (let top = open.at(-1); top !== undefined; top = open.at(-1)) {
    if (top.next === top.length) {
      out += top.names === null ? ']' : '}';
      open.pop();
    } else {
      if (top.next > 0) out += ',';
      const name = top.names?.[top.next];
      const each = Array.isArray(top.from) ? top.from[top.next] : top.from[name as string];
      if (name !== undefined) out += `${JSON.stringify(name)}:`;
      top.next += 1;
      write(each as JsonValue);
    }
    if (out.length < SLICE_CHARS && values < SLICE_VALUES) continue;
    pieces.push(out);
    out = '';
    values = 0;
    yield;
  }
  pieces.push(out);
  return pieces;
}

/** Null: it is no object. Asked once: of an object with thousands of them it takes milliseconds. */
function namesOf(value: JsonValue): readonly string[] | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.keys(value) : null;
}

/**
 * How many values there are in it, where a long text is as many as it takes the time of; negative when there are more than
 * `most`, or deeper ones: how many were seen.
 */
function weightOf(value: JsonValue, names: readonly string[] | null, most: number, depth: number): number {
  if (typeof value === 'string') return value.length > most * TEXT_CHARS ? -1 : 1 + value.length / TEXT_CHARS;
  if (typeof value !== 'object' || value === null) return 1;
  if (depth === 0) return -1;
  let weight = 1;
  const length = names?.length ?? (value as JsonValue[]).length;
  if (length > most) return -1;
  for (let at = 0; at < length; at += 1) {
    const each = (Array.isArray(value) ? value[at] : value[names?.[at] as string]) as JsonValue;
    const inside = weightOf(each, namesOf(each), most - weight, depth - 1);
    if (inside < 0) return inside - weight;
    weight += inside;
    if (weight > most) return -weight;
  }
  return weight;
}
