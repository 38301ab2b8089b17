/**
 * What a route's transformations are once compiled, and what they may see of a request. A leaf, so that exchange and
 * snapshot can name it.
 * @module
 */

import type { IncomingHttpHeaders } from 'node:http';
import type { Transform } from 'node:stream';
import type { StatusPolicy } from '../../config/policies/json-map.ts';
import type { CorsPolicy } from '../../core/policy/transform/cors.ts';
import type { Sliced } from '../../core/policy/transform/sliced.ts';
import type { BodyChange, BodyCounts } from '../body-metrics.ts';
import type { Coding } from './content-coding.ts';
import type { UnreadableBody } from './unreadable-body.ts';

/** The part of an exchange that transformations read; an `Exchange` is one. */
export interface TransformSubject {
  readonly request: { readonly headers: IncomingHttpHeaders };
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly authority: string;
  readonly clientIp: string;
  readonly requestId: string;
  readonly traceId: string;
  readonly claims: Readonly<Record<string, unknown>> | null;
  readonly route: { readonly name: string; readonly service: { readonly name: string } } | null;
  readonly version: { readonly name: string } | null;
  note(name: string, value: string): void;
}

/** Gives the edited list of name, value, …; the one that it gets stays as it is. */
export type FieldEditor = (subject: TransformSubject, fields: readonly string[]) => string[];

/** A filled-in text, or undefined when a variable has no value in this request. */
export type TextFiller = (subject: TransformSubject) => string | undefined;

export interface CompiledRewrite {
  /** Path and query for the upstream; undefined when what came out is no sound path. */
  readonly target: (subject: TransformSubject) => string | undefined;
  /** Two callers who ask for the same URL may get different ones upstream. */
  readonly ofMoreThanPath: boolean;
}

/** What is to be done with one body. */
export interface BodyPlan {
  /** Of the body, without its coding, or of one line or element of it. */
  readonly maxBytes: number;
  /** What cannot be reshaped is refused; else it passes as it is. */
  readonly refuses: boolean;
  /** What the body becomes; null: it stays. */
  readonly change: BodyChange | null;
  /** Taken off first. */
  readonly coding: Coding | null;
  /** Known before any of it has come; null: nothing speaks against it. */
  readonly unreadable: UnreadableBody | null;
  /** The fields that describe what becomes of it. */
  readonly fields: (fields: readonly string[]) => string[];
  /** Reshapes it as it passes; null: it is gathered, for `map`. */
  readonly open: (() => Transform) | null;
  /** Throws UnreadableBody in a slice. With `open` null too, the body passes as it came, only its fields are edited. */
  readonly map: ((body: Buffer) => Sliced<Buffer>) | null;
}

export interface CompiledBody {
  readonly counts: BodyCounts;
  /** Null: a body with these fields passes as it is. `status`: of a response. */
  readonly plan: (subject: TransformSubject, fields: readonly string[], status: number) => BodyPlan | null;
}

/** What the body of a request goes through on its way to the upstream, piece by piece. */
export interface RequestReshaping {
  /** That the client's body is in. */
  readonly coding: Coding | null;
  /** New filters for one reading of it; they fail with UnreadableBody, or are the decoder of the coding. */
  open(): readonly Transform[];
  /** All of it has gone through. */
  passed(): void;
}

export interface ProblemBody {
  readonly type: string;
  readonly body: Buffer;
}

export interface Compressed {
  readonly fields: readonly string[];
  /** Null: the body stays as it is, or there is none. */
  readonly filter: Transform | null;
}

export interface CompiledTransform {
  readonly cors: CorsPolicy | null;
  /** Null: the upstream gets the fields as they are. */
  readonly requestFields: FieldEditor | null;
  /** Null: the upstream gets the client's path and query. */
  readonly rewrite: CompiledRewrite | null;
  /** Null: the upstream is asked for the forms that the client asks for. */
  readonly asking: FieldEditor | null;
  readonly requestBody: CompiledBody | null;
  readonly responseBody: CompiledBody | null;
  /** Null: problem documents are JSON. */
  readonly problem: ((subject: TransformSubject, json: string) => ProblemBody) | null;
  /** What becomes of a status of the upstream; null: each stays. */
  readonly status: StatusPolicy | null;
  /** Null: nothing is compressed here. */
  readonly compress:
    | ((subject: TransformSubject, status: number, fields: readonly string[], hasBody: boolean) => Compressed)
    | null;
  /** Last edits of every response of the route, in this order. */
  readonly responseFields: readonly FieldEditor[];
}

/** A response on its way through the filters of its route. */
export interface OutgoingResponse {
  /** False: not before the client has taken some of it; the attempt is then resumed. */
  write(piece: Buffer): boolean;
  end(): void;
  /** Ends with a body that is here as a whole. */
  endWith(body: Buffer): void;
  /** Nothing has been sent yet: the body is gathered first. */
  readonly holdsBack: boolean;
}
