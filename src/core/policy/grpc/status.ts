/**
 * The outcome of a gRPC call: its codes, what each is in terms of HTTP, and the two fields that carry it. Knows no
 * streams.
 * @module
 */

/** By code, what HTTP would say (as google.rpc.Code does): 500 and above counts against the version. */
const HTTP_OF_CODE: readonly number[] = [
  200, // OK
  499, // CANCELLED
  500, // UNKNOWN
  400, // INVALID_ARGUMENT
  504, // DEADLINE_EXCEEDED
  404, // NOT_FOUND
  409, // ALREADY_EXISTS
  403, // PERMISSION_DENIED
  429, // RESOURCE_EXHAUSTED
  400, // FAILED_PRECONDITION
  409, // ABORTED
  400, // OUT_OF_RANGE
  501, // UNIMPLEMENTED
  500, // INTERNAL
  503, // UNAVAILABLE
  500, // DATA_LOSS
  401, // UNAUTHENTICATED
];

export const GRPC_NAMES: readonly string[] = [
  'OK',
  'CANCELLED',
  'UNKNOWN',
  'INVALID_ARGUMENT',
  'DEADLINE_EXCEEDED',
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'PERMISSION_DENIED',
  'RESOURCE_EXHAUSTED',
  'FAILED_PRECONDITION',
  'ABORTED',
  'OUT_OF_RANGE',
  'UNIMPLEMENTED',
  'INTERNAL',
  'UNAVAILABLE',
  'DATA_LOSS',
  'UNAUTHENTICATED',
];

const CODE_OF_HTTP: ReadonlyMap<number, number> = new Map([
  [400, 3],
  [401, 16],
  [403, 7],
  [404, 12],
  [405, 12],
  [408, 4],
  [409, 10],
  [413, 8],
  [422, 9],
  [429, 8],
  [499, 1],
  [500, 13],
  [501, 12],
  [502, 14],
  [503, 14],
  [504, 4],
]);

export const GRPC_DEADLINE_EXCEEDED = 4;

const OK = 0;
const UNKNOWN = 2;

/** Unknown codes are errors. */
export function httpOfGrpc(code: number): number {
  return HTTP_OF_CODE[code] ?? 500;
}

/** What a status of the gateway itself is to a gRPC client. */
export function grpcOfHttp(status: number): number {
  if (status >= 200 && status < 300) return OK;
  return CODE_OF_HTTP.get(status) ?? (status >= 500 ? 13 : UNKNOWN);
}

/** `text`: value of `grpc-status`. A call that ends without one has failed. */
export function parseGrpcStatus(text: string | undefined): number {
  return text !== undefined && /^\d{1,3}$/.test(text) ? Number(text) : UNKNOWN;
}

/** As `grpc-message` wants it: percent-encoded UTF-8. */
export function encodeGrpcMessage(text: string): string {
  return text.replace(/[^\x20-\x24\x26-\x7e]+/gu, (part) => encodeURIComponent(part));
}

export function decodeGrpcMessage(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

const UNIT_MS: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1_000,
  m: 1,
  u: 0.001,
  n: 0.000_001,
};

/** Milliseconds; undefined when there is no (sound) deadline. `text`: value of `grpc-timeout`. */
export function parseGrpcTimeout(text: string | undefined): number | undefined {
  const [, digits, unit = ''] = /^(\d{1,8})([HMSmun])$/.exec(text ?? '') ?? [];
  return digits === undefined ? undefined : Number(digits) * (UNIT_MS[unit] ?? 0);
}

/** Whether a request or response of that media type is one of gRPC (not gRPC-Web). */
export function isGrpc(mediaType: string | undefined): boolean {
  return mediaType !== undefined && /^application\/grpc(?:$|[+; ])/i.test(mediaType);
}
