/**
 * The messages of google.protobuf that JSON writes in a form of their own: times, durations, wrapped scalars. Knows
 * these types only; the others of that package are messages like any.
 * @module
 */

const TIMESTAMP = '.google.protobuf.Timestamp';
const DURATION = '.google.protobuf.Duration';
const WRAPPERS = /^\.google\.protobuf\.(?:Double|Float|Int64|UInt64|Int32|UInt32|Bool|String|Bytes)Value$/;

/** Its JSON is that of its only field. */
export function isWrapper(fullName: string): boolean {
  return WRAPPERS.test(fullName);
}

/** Null: no such type. `bad`: not in the form of the type. */
export function fromWellKnown(fullName: string, json: unknown): Record<string, unknown> | 'bad' | null {
  if (fullName === TIMESTAMP) return timestampOf(json);
  return fullName === DURATION ? durationOf(json) : null;
}

/** Undefined: no such type. */
export function toWellKnown(fullName: string, message: object): unknown {
  const seconds: unknown = Reflect.get(message, 'seconds') ?? 0;
  const nanos = Number(Reflect.get(message, 'nanos') ?? 0);
  if (fullName === TIMESTAMP) {
    const whole = new Date(Number(seconds) * 1000).toISOString().slice(0, 19);
    return `${whole}${fraction(nanos)}Z`;
  }
  if (fullName === DURATION) {
    const negative = Number(seconds) < 0 || nanos < 0;
    return `${negative ? '-' : ''}${String(seconds).replace('-', '')}${fraction(Math.abs(nanos))}s`;
  }
  if (!WRAPPERS.test(fullName)) return undefined;
  const value: unknown = Object.hasOwn(message, 'value') ? Reflect.get(message, 'value') : undefined;
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  if (typeof value === 'object') return String(value);
  return value ?? EMPTY[fullName.slice('.google.protobuf.'.length)] ?? 0;
}

const EMPTY: Readonly<Record<string, unknown>> = {
  BoolValue: false,
  StringValue: '',
  BytesValue: '',
  Int64Value: '0',
  UInt64Value: '0',
};

function fraction(nanos: number): string {
  return nanos === 0 ? '' : `.${String(nanos).padStart(9, '0').replace(/0+$/, '')}`;
}

function timestampOf(json: unknown): Record<string, unknown> | 'bad' {
  const found = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/.exec(String(json));
  const ms = found === null ? Number.NaN : Date.parse(`${found[1]}${found[3]}`);
  if (found === null || Number.isNaN(ms)) return 'bad';
  return { seconds: String(ms / 1000), nanos: Number((found[2] ?? '').padEnd(9, '0')) };
}

function durationOf(json: unknown): Record<string, unknown> | 'bad' {
  const found = /^(-?)(\d{1,12})(?:\.(\d{1,9}))?s$/.exec(String(json));
  if (found === null) return 'bad';
  const sign = found[1] === '-' ? -1 : 1;
  return { seconds: String(sign * Number(found[2])), nanos: sign * Number((found[3] ?? '').padEnd(9, '0')) };
}
