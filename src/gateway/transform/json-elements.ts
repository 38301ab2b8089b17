/**
 * Reshapes one large JSON array element by element as it passes: what is in memory is one element. Knows the rules and
 * where the array is; that each rule stays within one element was checked when the file was loaded.
 * @module
 */

import { Transform, type TransformCallback } from 'node:stream';
import { type JsonRules, type JsonValue, mapJson } from '../../core/policy/transform/json-map.ts';
import {
  JsonSplitter,
  NotJson,
  type SplitTarget,
  ValueTooLong,
} from '../../core/policy/transform/json-splitter.ts';
import { UnreadableBody } from './unreadable-body.ts';

/** Output is handed on in pieces of about this many characters. */
const PIECE_CHARS = 16_384;

/** The value at the end of a way of names, and what the rules leave of it there. */
class OnTheWay {
  readonly #rules: JsonRules;

  constructor(rules: JsonRules) {
    this.#rules = rules;
  }

  /** Undefined: a rule has taken it out. Throws when `text` is no JSON. */
  mapped(names: readonly string[], inArray: boolean, text: string): JsonValue | undefined {
    const value = JSON.parse(text) as JsonValue;
    let whole = inArray ? [value] : value;
    for (const name of [...names].reverse()) whole = { [name]: whole };
    let left: JsonValue | undefined = mapJson(whole, this.#rules);
    for (const name of names) left = memberOf(left, name);
    return inArray ? (Array.isArray(left) ? left[0] : undefined) : left;
  }
}

function memberOf(value: JsonValue | undefined, name: string): JsonValue | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  return Object.hasOwn(value, name) ? value[name] : undefined;
}

/** Fails with UnreadableBody. */
export class JsonElements extends Transform implements SplitTarget {
  readonly #names: readonly string[];
  readonly #rules: OnTheWay;
  readonly #splitter: JsonSplitter;
  #out = '';
  /** Whether the object or array of that depth has a member or element already. */
  readonly #filled: boolean[] = [];
  /** Entered, but nothing of its value is written. */
  #entered: string | null = null;
  #empty = true;
  /** Elements that were read. */
  #elements = 0;
  /** What came may be nothing but brackets: whether the rest can be read is still open. */
  #bare = true;

  /** `names`: the way to the array. `maxBytes`: of one element. */
  constructor(rules: JsonRules, names: readonly string[], maxBytes: number) {
    super();
    this.#names = names;
    this.#rules = new OnTheWay(rules);
    this.#splitter = new JsonSplitter(names, maxBytes, this);
  }

  override _transform(piece: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.#empty &&= piece.length === 0;
    this.#guarded(done, () => this.#splitter.write(piece));
  }

  override _flush(done: TransformCallback): void {
    this.#guarded(done, () => {
      if (!this.#empty) this.#splitter.end();
    });
  }

  #guarded(done: TransformCallback, work: () => void): void {
    try {
      work();
      this.#handOn();
      done();
    } catch (error) {
      done(this.#troubleOf(error));
    }
  }

  #troubleOf(error: unknown): Error {
    const place = this.#elements === 0 ? '' : ` after element ${this.#elements}`;
    if (error instanceof ValueTooLong) return new UnreadableBody('too-large', `${error.message}${place}`);
    if (error instanceof RangeError)
      return new UnreadableBody('malformed', `it is nested deeper than can be walked${place}`);
    if (error instanceof NotJson)
      return new UnreadableBody('malformed', `it is no JSON${place}: ${error.message}`);
    if (error instanceof SyntaxError) return new UnreadableBody('malformed', `it is no JSON${place}`);
    return error instanceof Error ? error : new Error(String(error));
  }

  open(bracket: '{' | '['): void {
    this.#out += this.#name() + bracket;
    this.#filled.push(false);
  }

  close(bracket: '}' | ']'): void {
    this.#filled.pop();
    this.#out += bracket;
    this.#bare = false;
  }

  enter(name: string): void {
    this.#entered = name;
  }

  element(text: string): void {
    const mapped = this.#rules.mapped(this.#names, true, text);
    this.#elements += 1;
    this.#write(mapped === undefined ? '' : this.#comma() + JSON.stringify(mapped));
  }

  member(depth: number, name: string, text: string): void {
    const names = [...this.#names.slice(0, depth), JSON.parse(name) as string];
    const mapped = this.#rules.mapped(names, false, text);
    this.#write(mapped === undefined ? '' : `${this.#comma()}${name}:${JSON.stringify(mapped)}`);
  }

  other(depth: number, text: string): void {
    const mapped = this.#rules.mapped(this.#names.slice(0, depth), false, text);
    this.#write(mapped === undefined ? '' : this.#name() + JSON.stringify(mapped));
    this.#entered = null;
  }

  #name(): string {
    const name = this.#entered;
    this.#entered = null;
    return name === null ? '' : `${this.#comma()}${name}:`;
  }

  #comma(): string {
    const last = this.#filled.length - 1;
    if (this.#filled[last] === true) return ',';
    this.#filled[last] = true;
    return '';
  }

  /** `text` is made of a whole value; empty: a rule has taken that out. */
  #write(text: string): void {
    this.#bare = false;
    this.#out += text;
    if (this.#out.length >= PIECE_CHARS) this.#handOn();
  }

  #handOn(): void {
    if (this.#bare || this.#out === '') return;
    this.push(this.#out);
    this.#out = '';
  }
}
