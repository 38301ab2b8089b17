/**
 * A real gRPC service for tests, with one method of each kind, whose messages are JSON or what the caller says.
 * Everything started is closed with the harness.
 * @module
 */

import {
  type handleBidiStreamingCall,
  type handleClientStreamingCall,
  type handleServerStreamingCall,
  type handleUnaryCall,
  Server,
  ServerCredentials,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import type { GatewayHarness } from './gateway-harness.ts';

export interface Codec<Message> {
  serialize(message: Message): Buffer;
  deserialize(bytes: Buffer): Message;
}

export const JSON_CODEC: Codec<unknown> = {
  serialize: (message) => Buffer.from(JSON.stringify(message)),
  deserialize: (bytes) => JSON.parse(bytes.toString()),
};

export interface Handlers {
  readonly get?: handleUnaryCall<unknown, unknown>;
  readonly list?: handleServerStreamingCall<unknown, unknown>;
  readonly upload?: handleClientStreamingCall<unknown, unknown>;
  readonly chat?: handleBidiStreamingCall<unknown, unknown>;
}

const KINDS = {
  get: { path: '/shop.Orders/Get', requestStream: false, responseStream: false },
  list: { path: '/shop.Orders/List', requestStream: false, responseStream: true },
  upload: { path: '/shop.Orders/Upload', requestStream: true, responseStream: false },
  chat: { path: '/shop.Orders/Chat', requestStream: true, responseStream: true },
} as const;

/** Starts the service; returns its origin. */
export async function grpcServer(
  harness: GatewayHarness,
  handlers: Handlers,
  codecs: { readonly request: Codec<unknown>; readonly response: Codec<unknown> } = {
    request: JSON_CODEC,
    response: JSON_CODEC,
  },
): Promise<string> {
  const server = new Server();
  const definition = Object.fromEntries(
    Object.entries(KINDS).map(([name, kind]) => [
      name,
      {
        ...kind,
        originalName: name,
        requestSerialize: codecs.request.serialize,
        requestDeserialize: codecs.request.deserialize,
        responseSerialize: codecs.response.serialize,
        responseDeserialize: codecs.response.deserialize,
      },
    ]),
  );
  server.addService(definition, { ...handlers } as UntypedServiceImplementation);
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    ),
  );
  harness.onClose(async () => server.forceShutdown());
  return `http://127.0.0.1:${port}`;
}
