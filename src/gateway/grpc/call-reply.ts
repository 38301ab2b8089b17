/**
 * The answer to a transcoded call on its way to the client: one message as JSON, or one after the other as lines or
 * events. Knows the client's response and the messages; nothing of attempts but how to stop one.
 * @module
 */

import type { CallBinding } from '../../config/policies/proto-file.ts';
import { fieldNamed } from '../../config/policies/proto-file.ts';
import { decodeGrpcMessage, GRPC_NAMES, httpOfGrpc, isGrpc } from '../../core/policy/grpc/status.ts';
import type { Exchange } from '../exchange.ts';
import { ownFields } from '../own-fields.ts';
import { replyProblem } from '../problem.ts';
import type { CallRelay, RunningAttempt } from '../running.ts';
import { watchReader } from '../slow-reader.ts';
import { sendHead, sendWhole } from '../transform/outgoing.ts';
import { MessageReader } from './message-frames.ts';
import { writeField, writeMessage } from './proto-json.ts';

export class CallReply implements CallRelay {
  readonly #exchange: Exchange;
  readonly #binding: CallBinding;
  readonly #maxBytes: number;
  readonly #events: boolean;
  #reader: MessageReader | null = null;
  #attempt: RunningAttempt | null = null;
  #message: Buffer | null = null;
  #flows = true;

  /** `events`: a stream is sent as server-sent events instead of lines. */
  constructor(exchange: Exchange, binding: CallBinding, maxBytes: number, events: boolean) {
    this.#exchange = exchange;
    this.#binding = binding;
    this.#maxBytes = maxBytes;
    this.#events = events;
  }

  head(attempt: RunningAttempt): boolean {
    if (attempt.status !== 200 || !isGrpc(attempt.field('content-type'))) return false;
    this.#attempt = attempt;
    this.#message = null;
    this.#reader = new MessageReader(this.#maxBytes, (message) => this.#onMessage(message));
    return true;
  }

  piece(piece: Buffer): boolean {
    this.#flows = true;
    try {
      if (this.#reader?.feed(piece) === false) this.#attempt?.reject();
    } catch {
      // Bytes that are no such message.
      this.#attempt?.reject();
    }
    return this.#flows;
  }

  end(trailers: Readonly<Record<string, unknown>> | null): void {
    const exchange = this.#exchange;
    const code = exchange.grpcCode;
    if (code !== 0) {
      const given = trailers?.['grpc-message'] ?? this.#attempt?.field('grpc-message') ?? '';
      this.#fail(code, decodeGrpcMessage(String(given)));
      return;
    }
    if (this.#binding.streams) {
      if (!exchange.relaying) this.#begin();
      if (exchange.outgoing !== null) exchange.outgoing.end();
      else exchange.response.end();
      return;
    }
    const json = this.#message === null ? undefined : this.#jsonOf(this.#message);
    if (json === undefined || this.#reader?.atBoundary !== true)
      replyProblem(exchange, 'UPSTREAM_BAD_RESPONSE', '');
    else this.#sendWhole(200, 'application/json', json);
  }

  #onMessage(message: Buffer): void {
    if (!this.#binding.streams) {
      if (this.#message !== null) throw new Error('a second message of a unary call');
      this.#message = message;
      return;
    }
    const json = this.#jsonOf(message) ?? '{}';
    if (!this.#exchange.relaying) this.#begin();
    this.#write(this.#events ? `data: ${json}\n\n` : `${json}\n`);
  }

  /** Undefined: the bytes are no such message. */
  #jsonOf(bytes: Buffer): string | undefined {
    const { response, responseBody } = this.#binding;
    try {
      const message = response.decode(bytes);
      if (responseBody === '') return JSON.stringify(writeMessage(response, message));
      const field = fieldNamed(response, responseBody);
      return field === undefined
        ? '{}'
        : JSON.stringify(writeField(field, Reflect.get(message, field.name)) ?? null);
    } catch {
      if (this.#binding.streams) throw new Error('no such message');
      return undefined;
    }
  }

  #begin(): void {
    const exchange = this.#exchange;
    exchange.relaying = true;
    const type = this.#events ? 'text/event-stream' : 'application/x-ndjson';
    sendHead(exchange, 200, [
      ...ownFields(this.#exchange),
      'Content-Type',
      type,
      'Cache-Control',
      'no-store',
    ]);
    exchange.response.flushHeaders();
  }

  #write(text: string): void {
    const { response, outgoing } = this.#exchange;
    const piece = Buffer.from(text);
    if (outgoing !== null) {
      this.#flows = outgoing.write(piece) && this.#flows;
      return;
    }
    this.#exchange.bytesOut += piece.length;
    if (response.write(piece)) return;
    this.#flows = false;
    watchReader(this.#exchange);
    response.once('drain', () => this.#attempt?.resume());
  }

  /** After the first message, what went wrong is the last one: the status was said long before. */
  #fail(code: number, detail: string): void {
    const { requestId, relaying, response, outgoing } = this.#exchange;
    const name = GRPC_NAMES[code] ?? 'UNKNOWN';
    const status = httpOfGrpc(code);
    const problem = {
      type: 'about:blank',
      title: name,
      status,
      detail,
      request_id: requestId,
      code: `GRPC_${name}`,
    };
    if (!relaying) {
      this.#sendWhole(status, 'application/problem+json', JSON.stringify(problem));
      return;
    }
    const json = JSON.stringify(this.#events ? problem : { error: problem });
    this.#write(this.#events ? `event: error\ndata: ${json}\n\n` : `${json}\n`);
    if (outgoing !== null) outgoing.end();
    else response.end();
  }

  #sendWhole(status: number, type: string, json: string): void {
    const body = Buffer.from(json);
    const fields = [
      ...ownFields(this.#exchange),
      'Content-Type',
      type,
      'Content-Length',
      String(body.length),
    ];
    sendWhole(this.#exchange, status, fields, body);
  }
}
