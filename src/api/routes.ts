/**
 * The routes of the control API under /api/v1: what each needs, asks of the Control port, and answers.
 * Knows neither tokens nor listeners nor how a rollout works.
 * @module
 */

import type { FastifyInstance, FastifyRequest } from 'fastify';
import * as z from 'zod';
import { name } from '../config/primitives.ts';
import { SluiceError } from '../core/domain/errors.ts';
import type { RolloutEvent } from '../core/domain/rollout-event.ts';
import { type RunSummary, summariseRuns } from '../core/view/run-summary.ts';
import type { Control } from '../ports/control.ts';
import type { PurgeChannel } from '../ports/purge-channel.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Principal, Role } from './access.ts';
import { ACTION_KINDS, MAX_SOURCE_BYTES, parse, parseAction } from './action-body.ts';
import { type StreamLimits, serveEventStream } from './event-stream.ts';
import { registerPurge } from './purge-route.ts';

export interface RouteContext {
  readonly control: Control;
  readonly purges: PurgeChannel;
  readonly access: (request: FastifyRequest, needed: Role) => Principal;
  readonly streamLimits: StreamLimits;
  readonly logger: Logger;
  /** Ends open streams when the API closes. */
  readonly signal: AbortSignal;
}

const SMALL_BODY_BYTES = 64 * 1024;
/** JSON may need several bytes for one of the source's. */
const START_BODY_BYTES = 4 * MAX_SOURCE_BYTES;
const RUNS_PAGE = 1000;
/** Events that `runs` reads at most. */
const RUNS_MAX_EVENTS = 100_000;

const eventsQuery = z.strictObject({
  after: z.coerce.number().int().min(0).default(0),
  limit: z.coerce.number().int().min(1).max(1000).default(100),
});
const recordingQuery = z.strictObject({ run: z.coerce.number().int().min(1).optional() });
const streamQuery = z.strictObject({
  rollouts: z
    .string()
    .transform((text) => text.split(','))
    .pipe(z.array(name).min(1).max(100))
    .optional(),
});

export function registerRoutes(app: FastifyInstance, context: RouteContext): void {
  app.get('/api/v1/healthz', async () => ({ status: 'ok' }));
  registerReads(app, context);
  registerActions(app, context);
  registerPurge(app, context);
  registerStream(app, context);
}

function registerReads(app: FastifyInstance, { control, access }: RouteContext): void {
  const viewer = { onRequest: async (request: FastifyRequest) => void access(request, 'viewer') };
  app.get('/api/v1/rollouts', viewer, async () => ({ rollouts: await control.list() }));
  app.get('/api/v1/rollouts/:name', viewer, async (request) => control.view(rolloutOf(request)));
  app.get('/api/v1/rollouts/:name/events', viewer, async (request) => {
    const { after, limit } = parse(eventsQuery, request.query);
    return { events: await control.events(rolloutOf(request), after, limit) };
  });
  app.get('/api/v1/rollouts/:name/recording', viewer, async (request, reply) => {
    const { run } = parse(recordingQuery, request.query);
    const rollout = rolloutOf(request);
    const text = await control.recording(rollout, run ?? null);
    if (text === null) {
      throw new SluiceError('RUN_UNKNOWN', { detail: `this operator has no recording of ${rollout}` });
    }
    return reply.type('application/jsonl').send(text);
  });
  app.get('/api/v1/rollouts/:name/traffic', viewer, async (request) => ({
    traffic: await control.traffic(rolloutOf(request)),
  }));
  app.get('/api/v1/rollouts/:name/runs', viewer, async (request) => ({
    runs: await runsOf(control, rolloutOf(request)),
  }));
}

function registerActions(app: FastifyInstance, { control, access }: RouteContext): void {
  for (const kind of ACTION_KINDS) {
    const options = {
      bodyLimit: kind === 'start' ? START_BODY_BYTES : SMALL_BODY_BYTES,
      // Before the body is read: who may not act doesn't get to send megabytes either.
      onRequest: async (request: FastifyRequest) => void access(request, 'operator'),
    };
    app.post(`/api/v1/rollouts/:name/${kind}`, options, async (request) => {
      const { actor } = access(request, 'operator');
      const { action, ...expected } = parseAction(kind, request.body);
      return control.act({ rollout: rolloutOf(request), action, actor, ...expected });
    });
  }
}

function registerStream(app: FastifyInstance, context: RouteContext): void {
  const { control, access, streamLimits, logger, signal } = context;
  let open = 0;
  const viewer = { onRequest: async (request: FastifyRequest) => void access(request, 'viewer') };
  app.get('/api/v1/events', viewer, async (request, reply) => {
    const { rollouts } = parse(streamQuery, request.query);
    // Errors must come as problems, so the names are checked while there is still a status to set.
    await checkNames(control, rollouts ?? []);
    if (open >= streamLimits.streams) {
      throw new SluiceError('UNAVAILABLE', { detail: `${open} streams are open already` });
    }
    open += 1;
    reply.raw.once('close', () => {
      open -= 1;
    });
    reply.hijack();
    const lastEventId = request.headers['last-event-id'];
    try {
      await serveEventStream({
        control,
        response: reply.raw,
        rollouts: rollouts ? new Set(rollouts) : null,
        lastEventId: typeof lastEventId === 'string' && lastEventId !== '' ? lastEventId : null,
        limits: streamLimits,
        signal,
      });
    } catch (error) {
      logger.warn({ err: error, request_id: request.id }, 'a live stream broke off');
      reply.raw.destroy();
    }
  });
}

/** The stream of one rollout is asked of its holder by HELD_ELSEWHERE; several may have several holders. */
async function checkNames(control: Control, rollouts: readonly string[]): Promise<void> {
  const [first, second] = rollouts;
  if (first !== undefined && second === undefined) {
    await control.view(first);
    return;
  }
  const known = new Set((await control.list()).map((view) => view.rollout));
  const unknown = rollouts.find((rollout) => !known.has(rollout));
  if (unknown !== undefined) throw new SluiceError('ROLLOUT_UNKNOWN', { detail: unknown });
}

/** A name that can't be one is as unknown as any other. */
function rolloutOf(request: FastifyRequest): string {
  const parsed = z.object({ name }).safeParse(request.params);
  if (parsed.success) return parsed.data.name;
  throw new SluiceError('ROLLOUT_UNKNOWN', { detail: 'this cannot be the name of a rollout' });
}

async function runsOf(control: Control, rollout: string): Promise<readonly RunSummary[]> {
  const events: RolloutEvent[] = [];
  while (events.length < RUNS_MAX_EVENTS) {
    const page = await control.events(rollout, events.at(-1)?.sequence ?? 0, RUNS_PAGE);
    events.push(...page);
    if (page.length < RUNS_PAGE) break;
  }
  return summariseRuns(events);
}
