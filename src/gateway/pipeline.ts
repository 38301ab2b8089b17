/**
 * What happens to a request, in this order. To understand the gateway, read this list, then the stage of
 * interest; a new policy is one more file in `stages/` and one more line here.
 * @module
 */

import type { Exchange, Stage } from './exchange.ts';
import { replyProblem } from './problem.ts';
import { admit } from './stages/admit.ts';
import { assign } from './stages/assign.ts';
import { attempt } from './stages/attempt.ts';
import { authenticate } from './stages/authenticate.ts';
import { authorise } from './stages/authorise.ts';
import { cache } from './stages/cache.ts';
import { cap } from './stages/cap.ts';
import { guard } from './stages/guard.ts';
import { idempotency } from './stages/idempotency.ts';
import { identify } from './stages/identify.ts';
import { keep } from './stages/keep.ts';
import { lifecycle } from './stages/lifecycle.ts';
import { limit } from './stages/limit.ts';
import { mapBody } from './stages/map-body.ts';
import { prepare } from './stages/prepare.ts';
import { relay } from './stages/relay.ts';
import { route } from './stages/route.ts';
import { screen } from './stages/screen.ts';
import { transcode } from './stages/transcode.ts';

const STAGES: readonly Stage[] = [
  /** Refuses what is ambiguous or oversized; sorts the fields. */
  admit,
  /** Request id and trace. */
  identify,
  /** What the listener asks of every request: an address, https, a client certificate. */
  guard,
  /** Method, host and path → route; the size of the body against its limit. Answers CORS preflights. */
  route,
  /** The client's address, and its kind, against the rules of the route. */
  screen,
  /** Credential → claims. May wait for whoever judges it. */
  authenticate,
  /** Claims against the scopes and values that the route asks for. */
  authorise,
  /** What is deprecated is counted by caller; what is gone is refused. */
  lifecycle,
  /** Requests under way, of the route and of each caller. */
  cap,
  /** Rates and quotas, of whoever the claims say it is. May wait for the shared state. */
  limit,
  /** Sticky key → version. */
  assign,
  /** Claims the idempotency key, or answers by it. Waits for the body and the shared state. */
  idempotency,
  /** The client's fields → what the upstream gets. */
  prepare,
  /** Answers from a stored response, or waits for another request that fetches the same. */
  cache,
  /** The client's JSON → what the upstream gets. Waits for the body, unless that is reshaped as it passes. */
  mapBody,
  /** The client's JSON → a gRPC call, where the route says so. Waits for the body. */
  transcode,
  /** One or more tries of an endpoint of that version. Waits for the upstream. */
  attempt,
  /** Stores the response as it passes, renews the stored one, or drops what the request outdated. */
  keep,
  /** The response that was settled on → the client. */
  relay,
  // `stages/record.ts` runs when the response is closed, whatever happened above.
];

/** Runs the stages from `exchange.stage` until one stops. A bug in a stage becomes a 500 for this request only. */
export function runStages(exchange: Exchange): void {
  try {
    for (let stage = STAGES[exchange.stage]; stage !== undefined; stage = STAGES[exchange.stage]) {
      exchange.stage += 1;
      if (!stage(exchange)) return;
    }
  } catch (error) {
    exchange.runtime.logger.error({ err: error, requestId: exchange.requestId }, 'a stage failed');
    replyProblem(exchange, 'INTERNAL', '');
  }
}
