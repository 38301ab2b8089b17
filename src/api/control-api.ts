/**
 * The control API's server: listener, request ids, errors as problems, passing on, and a clean close.
 * Knows neither the routes' meaning nor how a rollout works.
 * @module
 */

import { randomUUID } from 'node:crypto';
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { ListenAddress } from '../config/primitives.ts';
import { SluiceError } from '../core/domain/errors.ts';
import type { RolloutView } from '../core/view/rollout-view.ts';
import type { Control } from '../ports/control.ts';
import type { PurgeChannel } from '../ports/purge-channel.ts';
import type { Logger } from '../telemetry/logger.ts';
import { type ApiToken, createAccess } from './access.ts';
import { DEFAULT_STREAM_LIMITS, type StreamLimits } from './event-stream.ts';
import { forward, HOP_HEADER } from './forward.ts';
import { PROBLEM_TYPE, toProblem } from './problem.ts';
import { registerRoutes } from './routes.ts';

export interface ControlApiOptions {
  readonly control: Control;
  readonly purges: PurgeChannel;
  /** Port 0 picks a free one. */
  readonly address: ListenAddress;
  readonly tokens: readonly ApiToken[];
  /** Peers on a loopback address need no token and act as admin. */
  readonly loopbackWithoutToken: boolean;
  readonly logger: Logger;
  readonly streamLimits?: Partial<StreamLimits>;
}

export interface ControlApi {
  /** Where a client on this machine reaches it. */
  readonly url: string;
  /** Ends streams, lets running requests finish, frees the port. Idempotent. */
  close(): Promise<void>;
}

/** Time in which a client must have sent its whole request, milliseconds. */
const REQUEST_TIMEOUT_MS = 30_000;
const CLOSE_GRACE_MS = 1000;
const REQUEST_ID = /^[A-Za-z0-9._-]{1,128}$/;

/** Resolves once it listens; rejects with the listener's own error (such as EADDRINUSE). */
export async function startControlApi(options: ControlApiOptions): Promise<ControlApi> {
  const { control, address, logger } = options;
  const app = fastify({
    logger: false,
    requestIdHeader: false,
    genReqId: (request) => {
      const given = request.headers['x-request-id'];
      return typeof given === 'string' && REQUEST_ID.test(given) ? given : randomUUID();
    },
    requestTimeout: REQUEST_TIMEOUT_MS,
    forceCloseConnections: 'idle',
  });
  const ending = new AbortController();
  const check = createAccess(options);
  addErrorHandling(app, control, logger);
  app.addHook('onRequest', async (request, reply) => {
    reply.headers({
      'x-request-id': request.id,
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
    });
    refuseForeignTarget(request.url);
  });
  registerRoutes(app, {
    control,
    purges: options.purges,
    access: (request, needed) => check(request.raw, needed),
    streamLimits: { ...DEFAULT_STREAM_LIMITS, ...options.streamLimits },
    logger,
    signal: ending.signal,
  });
  await app.listen({ host: address.host, port: address.port });
  const url = urlOf(app, address.host);
  logger.info({ url }, 'control API listens');
  let closing: Promise<void> | undefined;
  return {
    url,
    close: () => {
      ending.abort();
      closing ??= closeWithin(app, CLOSE_GRACE_MS);
      return closing;
    },
  };
}

/** Requests under way may finish; a connection that is merely open may not keep the process alive. */
async function closeWithin(app: FastifyInstance, graceMs: number): Promise<void> {
  const force = setTimeout(() => app.server.closeAllConnections(), graceMs);
  try {
    await app.close();
  } finally {
    clearTimeout(force);
  }
}

/** Only a path: `http://host/…`, `//host/…` and `/\\host/…` would name another server when passed on. */
function refuseForeignTarget(target: string): void {
  if (/^\/(?![/\\])/.test(target)) return;
  throw new SluiceError('BAD_REQUEST', { detail: 'the request target must be a path of this server' });
}

/** A look needs no lease: when its holder is gone, what it wrote last is better than nothing. */
async function storedView(control: Control, request: FastifyRequest): Promise<RolloutView | null> {
  const { name } = request.params as { name?: string };
  const looks = request.method === 'GET' && request.routeOptions.url === '/api/v1/rollouts/:name';
  const asked = request.headers[HOP_HEADER] === undefined;
  return looks && asked && name !== undefined ? control.storedView(name) : null;
}

function addErrorHandling(app: FastifyInstance, control: Control, logger: Logger): void {
  app.setErrorHandler(async (error, request, reply) => {
    if (error instanceof SluiceError && error.code === 'HELD_ELSEWHERE') {
      const passedOn = await passOn(error, request, reply);
      if (passedOn) return reply;
      const stored = await storedView(control, request);
      if (stored) return reply.send(stored);
    }
    return sendProblem(error, request, reply, logger);
  });
  app.setNotFoundHandler(async (request, reply) =>
    sendProblem(new SluiceError('NOT_FOUND', { detail: request.url.slice(0, 200) }), request, reply, logger),
  );
}

function sendProblem(
  error: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
  logger: Logger,
): FastifyReply {
  const problem = toProblem(error, request.id);
  if (problem.code === 'INTERNAL') {
    logger.error({ err: error, request_id: request.id }, 'a request to the control API failed');
  }
  if (problem.status === 401) reply.header('www-authenticate', 'Bearer');
  return reply.code(problem.status).header('content-type', PROBLEM_TYPE).send(JSON.stringify(problem));
}

/** True when the lease holder has answered in our place. */
async function passOn(error: SluiceError, request: FastifyRequest, reply: FastifyReply): Promise<boolean> {
  const { contact } = error.data;
  if (typeof contact !== 'string' || request.headers[HOP_HEADER] !== undefined) return false;
  const answer = await forward({
    contact,
    method: request.method === 'POST' ? 'POST' : 'GET',
    path: request.url,
    headers: { ...request.headers, 'x-request-id': request.id },
    body: request.body,
  });
  if (!answer) return false;
  reply.code(answer.status).header('content-type', answer.contentType).send(answer.body);
  return true;
}

/** A wildcard address is reached through loopback. */
function urlOf(app: FastifyInstance, host: string): string {
  const bound = app.server.address();
  const port = typeof bound === 'object' && bound !== null ? bound.port : 0;
  const reachable = host === '::' ? '::1' : host === '0.0.0.0' ? '127.0.0.1' : host;
  return `http://${reachable.includes(':') ? `[${reachable}]` : reachable}:${port}`;
}
