/**
 * Has the body of a request reshaped as it passes: each attempt sends it through filters of its own. A short one, or one
 * that is here already, goes through them before the attempt, so that it can be sent again like any other.
 * @module
 */

import type { Transform } from 'node:stream';
import type { Exchange } from './exchange.ts';
import { EAGER_BODY_BYTES } from './limits.ts';
import { leaveUnasked, refuseUnread } from './refuse-body.ts';
import type { CompiledRoute } from './snapshot.ts';
import { noteChanged, notePassed } from './transform/body-outcome.ts';
import { ByteLimit } from './transform/byte-limit.ts';
import { openDecoder } from './transform/content-coding.ts';
import { valueIndexOf } from './transform/field-list.ts';
import { wholeThroughFilters } from './transform/through-filters.ts';
import type { BodyPlan, RequestReshaping } from './transform/transform-model.ts';
import { troubleOfFilter } from './transform/unreadable-body.ts';
import { readWholeBody } from './whole-body.ts';

/** `open`: the plan's. Goes on (true), or not yet (false). */
export function reshapeAsItPasses(
  exchange: Exchange,
  route: CompiledRoute,
  plan: BodyPlan,
  open: () => Transform,
): boolean {
  const { bodyLength, wholeBody } = exchange;
  // What an idempotency key has read is not kept for longer when it grows.
  const keptBytes = wholeBody === null ? Infinity : (route.idempotency?.policy.maxBytes ?? Infinity);
  const reshaping = reshapingOf(exchange, plan, open, Math.min(route.maxBodyBytes, keptBytes));
  if (wholeBody !== null) {
    void reshapeWhole(exchange, plan, reshaping, wholeBody);
    return false;
  }
  const short = plan.coding === null && bodyLength > 0 && bodyLength <= EAGER_BODY_BYTES;
  // What becomes a call is read whole.
  const calls = route.transcoding !== null && !exchange.grpc;
  if (short || calls) {
    readWhole(exchange, plan, reshaping, route.maxBodyBytes);
    return false;
  }
  exchange.reshaping = reshaping;
  describeReshaped(exchange, plan);
  return true;
}

function readWhole(exchange: Exchange, plan: BodyPlan, reshaping: RequestReshaping, limit: number): void {
  readWholeBody(
    exchange,
    limit,
    (whole) => void reshapeWhole(exchange, plan, reshaping, whole),
    (failure) => {
      if (failure === 'too-slow') leaveUnasked(exchange, 'REQUEST_TIMEOUT', 'The body came too slowly.');
      else leaveUnasked(exchange, 'BODY_TOO_LARGE', `The limit is ${limit} bytes.`);
    },
  );
}

/** `maxBytes`: of the body without its coding. */
function reshapingOf(
  exchange: Exchange,
  { coding, change }: BodyPlan,
  open: () => Transform,
  maxBytes: number,
): RequestReshaping {
  let passed = false;
  return {
    coding,
    open: () => (coding === null ? [open()] : [openDecoder(coding), new ByteLimit(maxBytes), open()]),
    passed: () => {
      // Once only: a retry says the same.
      if (!passed) noteChanged(exchange, 'request', change);
      passed = true;
    },
  };
}

async function reshapeWhole(
  exchange: Exchange,
  plan: BodyPlan,
  reshaping: RequestReshaping,
  body: Buffer,
): Promise<void> {
  try {
    const whole = await wholeThroughFilters(body, reshaping.open());
    if (exchange.recorded) return;
    exchange.wholeBody = whole;
    reshaping.passed();
    describeReshaped(exchange, plan);
  } catch (error) {
    if (exchange.recorded) return;
    const trouble = troubleOfFilter(error, plan.coding);
    if (plan.refuses) {
      refuseUnread(exchange, trouble);
      return;
    }
    notePassed(exchange, 'request', trouble);
  }
  exchange.proceed();
}

/** Of what the upstream gets. */
export function describeReshaped(exchange: Exchange, plan: BodyPlan): void {
  exchange.upstreamFields = plan.fields(exchange.upstreamFields);
  exchange.traceparentAt = valueIndexOf(exchange.upstreamFields, 'traceparent');
  // What was said of the body that came, such as a digest, is not true of this one.
  exchange.trailers = null;
}
