/**
 * Finds the values of a JSON text as it passes: the elements of one array, wherever its path of names leads, and
 * everything beside that path. Keeps at most one value; whether that is JSON is decided by who is told of it.
 * @module
 */

import { KeptBytes } from '../kept-bytes.ts';

/** Told of the text in its order. White space between values is not. */
export interface SplitTarget {
  /** An object or array on the way to the array has begun, or ended. */
  open(bracket: '{' | '['): void;
  close(bracket: '}' | ']'): void;
  /** The value of the next member on the way to the array follows. */
  enter(name: string): void;
  /** One of the array. */
  element(text: string): void;
  /** A member beside the way, `depth` names below the root; `name` is a JSON string, quotes included. */
  member(depth: number, name: string, text: string): void;
  /** What stands where an object or the array was expected, `depth` names below the root. */
  other(depth: number, text: string): void;
}

/** It is no JSON as far as its structure goes, or no UTF-8. */
export class NotJson extends Error {}

/** Whether it is JSON was not looked at. */
export class ValueTooLong extends Error {}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

type Place = 'value' | 'first-element' | 'after-element' | 'first-name' | 'name' | 'colon' | 'after-member';
type ValueKind = 'string' | 'nested' | 'scalar';

/**
 * `names`: the way to the array; empty: the whole text is the array. `maxBytes`: of one value or name.
 * `write` and `end` throw NotJson, `write` also ValueTooLong.
 */
export class JsonSplitter {
  readonly #names: readonly string[];
  readonly #maxBytes: number;
  readonly #target: SplitTarget;
  /** What may come next; null at the end. */
  #place: Place | null = 'value';
  /** Names entered so far. */
  #depth = 0;
  #inArray = false;
  /** Of the member whose value comes next; null: that is on the way to the array. */
  #member: string | null = null;

  // The value being read.
  #value: ValueKind | null = null;
  #isName = false;
  readonly #kept = new KeptBytes();
  #brackets = 0;
  #inString = false;
  #escaped = false;

  constructor(names: readonly string[], maxBytes: number, target: SplitTarget) {
    this.#names = names;
    this.#maxBytes = maxBytes;
    this.#target = target;
  }

  write(piece: Uint8Array): void {
    let at = 0;
    while (at < piece.length) {
      if (this.#value === null) {
        this.#structure(piece[at] as number);
        // A value begins with the byte that announced it.
        if (this.#value === null) at += 1;
        continue;
      }
      const end = this.#endOfValue(piece, at);
      this.#take(piece.subarray(at, end < 0 ? piece.length : end));
      if (end < 0) return;
      at = end;
      this.#finishValue();
    }
  }

  /** Throws when something is missing. */
  end(): void {
    if (this.#value === 'scalar') this.#finishValue();
    if (this.#place !== null || this.#value !== null) throw new NotJson('the text ends too early');
  }

  #structure(byte: number): void {
    if (byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09) return;
    switch (this.#place) {
      case 'value':
        this.#beginValue(byte);
        return;
      case 'first-element':
        if (byte === CLOSE_ARRAY) this.#closeArray();
        else this.#gather(byte);
        return;
      case 'after-element':
        if (byte === COMMA) this.#place = 'value';
        else if (byte === CLOSE_ARRAY) this.#closeArray();
        else throw new NotJson('expected a comma or the end of an array');
        return;
      case 'first-name':
      case 'name':
        if (byte === CLOSE_OBJECT && this.#place === 'first-name') this.#closeObject();
        else if (byte === QUOTE) this.#gather(byte, true);
        else throw new NotJson('expected a name');
        return;
      case 'colon':
        if (byte !== COLON) throw new NotJson('expected a colon');
        this.#place = 'value';
        return;
      case 'after-member':
        if (byte === COMMA) this.#place = 'name';
        else if (byte === CLOSE_OBJECT) this.#closeObject();
        else throw new NotJson('expected a comma or the end of an object');
        return;
      case null:
        throw new NotJson('expected nothing more');
    }
  }

  #beginValue(byte: number): void {
    if (this.#inArray || this.#member !== null) {
      this.#gather(byte);
    } else if (this.#depth === this.#names.length && byte === OPEN_ARRAY) {
      this.#target.open('[');
      this.#inArray = true;
      this.#place = 'first-element';
    } else if (this.#depth < this.#names.length && byte === OPEN_OBJECT) {
      this.#target.open('{');
      this.#place = 'first-name';
    } else {
      this.#gather(byte);
    }
  }

  #closeArray(): void {
    this.#target.close(']');
    this.#inArray = false;
    this.#afterValue();
  }

  #closeObject(): void {
    this.#target.close('}');
    this.#afterValue();
  }

  /** A value on the way to the array has ended: so has the last name entered, if there is one. */
  #afterValue(): void {
    if (this.#depth === 0) {
      this.#place = null;
    } else {
      this.#depth -= 1;
      this.#place = 'after-member';
    }
  }

  #gather(byte: number, isName = false): void {
    const kind =
      byte === QUOTE ? 'string' : byte === OPEN_ARRAY || byte === OPEN_OBJECT ? 'nested' : 'scalar';
    if (kind === 'scalar' && !/[-0-9tfn]/.test(String.fromCharCode(byte)))
      throw new NotJson('expected a value');
    this.#value = kind;
    this.#isName = isName;
    this.#kept.clear();
    this.#brackets = 0;
    this.#inString = false;
    this.#escaped = false;
  }

  /** The place after the value's last byte, or -1 when that is still to come. */
  #endOfValue(piece: Uint8Array, from: number): number {
    const nested = this.#value === 'nested';
    if (this.#value === 'scalar') {
      for (let at = from; at < piece.length; at += 1) {
        const byte = piece[at] as number;
        if (byte === COMMA || byte === CLOSE_ARRAY || byte === CLOSE_OBJECT || byte <= 0x20) return at;
      }
      return -1;
    }
    for (let at = from; at < piece.length; at += 1) {
      const byte = piece[at] as number;
      if (this.#escaped) {
        this.#escaped = false;
      } else if (this.#inString) {
        if (byte === BACKSLASH) this.#escaped = true;
        else if (byte === QUOTE) {
          this.#inString = false;
          if (!nested) return at + 1;
        }
      } else if (byte === QUOTE) {
        this.#inString = true;
      } else if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) {
        this.#brackets += 1;
      } else if (byte === CLOSE_OBJECT || byte === CLOSE_ARRAY) {
        this.#brackets -= 1;
        if (this.#brackets === 0) return at + 1;
      }
    }
    return -1;
  }

  #take(part: Uint8Array): void {
    this.#kept.add(part);
    if (this.#kept.length > this.#maxBytes)
      throw new ValueTooLong(`a value in it is longer than ${this.#maxBytes} bytes`);
  }

  #finishValue(): void {
    this.#value = null;
    const text = textOf(this.#kept.joined());
    this.#kept.clear();
    if (this.#isName) {
      this.#finishName(text);
      return;
    }
    const member = this.#member;
    this.#member = null;
    if (this.#inArray) {
      this.#place = 'after-element';
      this.#target.element(text);
    } else if (member !== null) {
      this.#place = 'after-member';
      this.#target.member(this.#depth, member, text);
    } else {
      this.#target.other(this.#depth, text);
      this.#afterValue();
    }
  }

  #finishName(text: string): void {
    this.#place = 'colon';
    if (parsed(text) === this.#names[this.#depth]) {
      this.#depth += 1;
      this.#target.enter(text);
    } else {
      this.#member = text;
    }
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new NotJson('a name is no string');
  }
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Strictly: a lenient reader would change bytes silently. */
function textOf(bytes: Uint8Array): string {
  try {
    return UTF8.decode(bytes);
  } catch {
    throw new NotJson('it is no UTF-8');
  }
}
