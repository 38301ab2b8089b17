/**
 * Mirrors one request: chosen when its answer begins, sent a second time when that has ended, the two compared. The
 * client's answer and its times are never touched. Knows exchanges; what differs is the core's business.
 * @module
 */

import type { MirrorTurn } from '../../core/analysis/mirror-order.ts';
import type { MirrorArm } from '../../core/analysis/mirror-report.ts';
import { ringHash } from '../../core/policy/hash-ring.ts';
import { KeptBytes } from '../../core/policy/kept-bytes.ts';
import { compareAnswers } from '../../core/policy/mirror-compare.ts';
import { formatTraceParent } from '../../telemetry/trace-context.ts';
import type { Exchange } from '../exchange.ts';
import { bufferOf } from '../kept-buffer.ts';
import { randomFraction, randomHex16 } from '../random-ids.ts';
import type { RunningMirror } from '../running.ts';
import { type CompiledMirror, releaseExchange, type ServiceVersion } from '../snapshot.ts';
import { answerOf, type RawAnswer } from './answer.ts';
import { SecondRequest } from './second-request.ts';
import type { WaitingCopy } from './waiting-copies.ts';

/** Tells the upstream that nobody waits for this answer; clients cannot send it. */
const MIRROR_FIELD = 'X-Sluice-Mirror';
const HASH_RANGE = 4_294_967_296;

/** Decides whether a request whose answer is about to be relayed is mirrored; null: it is not. */
export function startMirror(exchange: Exchange): RunningMirror | null {
  const { route, version, standIn, forced, attempt, cacheRun } = exchange;
  if (route === null || version === null || attempt === null) return null;
  // A stand-in is no answer of the version, a tester no random sample, a renewal nobody's request.
  if (
    standIn !== null ||
    forced ||
    exchange.runtime.draining ||
    cacheRun?.validating === true ||
    cacheRun?.background === true
  )
    return null;
  // One second request at most: the rollout's comes first, by a draw that leaves the route's a fair sample of the rest.
  const mirror = route.rolloutMirror?.choose(exchange) ?? byPolicy(exchange, route.mirror);
  if (mirror === null || version === mirror.version) return null;
  if (!mirror.methods.has(exchange.method) || !isWhole(exchange, mirror)) return null;
  const arm: MirrorArm = randomFraction() < mirror.policy.noise ? 'baseline' : 'candidate';
  return new MirrorRun(exchange, mirror, arm, arm === 'baseline' ? version : mirror.version);
}

function byPolicy(exchange: Exchange, mirror: CompiledMirror | null): CompiledMirror | null {
  return mirror !== null && chanceOf(exchange, mirror) < mirror.policy.share ? mirror : null;
}

/** Its body is here, or it has none; small enough to be kept a little longer. */
function isWhole({ bodyLength, wholeBody }: Exchange, { policy }: CompiledMirror): boolean {
  return wholeBody === null ? bodyLength === 0 : wholeBody.length <= policy.maxBytes;
}

/** In [0, 1): of one key always the same, and another one than that by which versions are chosen. */
function chanceOf(exchange: Exchange, { policy, state }: CompiledMirror): number {
  if (policy.by === 'random') return randomFraction();
  const key = exchange.stickyKey || exchange.clientIp;
  return ringHash(`mirror ${state.place.route} ${key}`) / HASH_RANGE;
}

class MirrorRun implements RunningMirror, WaitingCopy {
  readonly #exchange: Exchange;
  readonly #mirror: CompiledMirror;
  readonly #arm: MirrorArm;
  readonly #version: ServiceVersion;
  readonly #kept = new KeptBytes();
  readonly sinceMs: number;
  #tooLong = false;
  /** The first answer has ended or never will, or there was no room for it. */
  #settled = false;

  constructor(exchange: Exchange, mirror: CompiledMirror, arm: MirrorArm, version: ServiceVersion) {
    this.#exchange = exchange;
    this.#mirror = mirror;
    this.#arm = arm;
    this.#version = version;
    this.sinceMs = exchange.runtime.monotonicMs();
  }

  piece(piece: Buffer): void {
    if (this.#settled || this.#tooLong || piece.length === 0) return;
    const { policy, state } = this.#mirror;
    this.#tooLong = this.#kept.length + piece.length > policy.maxBytes;
    if (this.#tooLong) {
      this.#kept.clear();
      state.waiting.drop(this);
    } else if (state.waiting.grow(this, piece.length, policy, this.#exchange.runtime.monotonicMs()))
      this.#kept.add(piece);
    else this.lose();
  }

  lose(): void {
    this.#settled = true;
    this.#kept.clear();
    this.#leaveOut();
  }

  #leaveOut(): void {
    this.#mirror.state.counts[this.#arm]['left-out'] += 1;
    this.#exchange.note('mirror', 'left-out');
  }

  end(): void {
    if (this.#settled) return;
    this.#settled = true;
    const { policy, state } = this.#mirror;
    state.waiting.drop(this);
    const { attempt, runtime, method, path, query, upstreamTarget, wholeBody, snapshot } = this.#exchange;
    const nowMs = runtime.monotonicMs();
    const { balancer } = this.#version;
    const keyHash = balancer.usesKey ? ringHash(this.#exchange.stickyKey || this.#exchange.clientIp) : 0;
    // Counted from here on: while an answer is on its way, how long that takes is up to its client.
    const target = state.inFlight < policy.max ? balancer.pick(nowMs, keyHash, null) : null;
    if (target === null || attempt === null) {
      this.#kept.clear();
      this.#leaveOut();
      return;
    }
    this.#exchange.note('mirror', this.#arm);
    state.inFlight += 1;
    snapshot.inFlight += 1;
    const first: RawAnswer = {
      status: attempt.status,
      rawFields: attempt.rawFields ?? [],
      body: this.#tooLong ? null : bufferOf(this.#kept.joined()),
    };
    this.#kept.clear();
    // By when it was asked: who is asked was settled before, and has no say in that.
    const turn = state.ask(this.#arm);
    const second = new SecondRequest(runtime.wheel, target, policy.maxBytes, (answer) => {
      if (answer === 'timeout' || answer === 'failed') {
        state.noteFailure(this.#arm, turn, answer);
        this.#release();
      } else void this.#compare(first, answer, turn);
    });
    const question = {
      method,
      path: upstreamTarget ?? path + query,
      fields: this.#fields(),
      body: wholeBody,
      maxBytes: policy.maxBytes,
    };
    second.send(question, nowMs + policy.timeoutMs);
  }

  cancel(): void {
    if (this.#settled) return;
    this.#settled = true;
    this.#kept.clear();
    this.#mirror.state.waiting.drop(this);
  }

  /** Those of the first request, marked. What the upstream traces is a child of the request, where that is traced. */
  #fields(): string[] {
    const { upstreamFields, traceparentAt, traceId, traceFlags, trace } = this.#exchange;
    const fields = [...upstreamFields, MIRROR_FIELD, this.#arm];
    fields[traceparentAt] = formatTraceParent(traceId, trace?.spanId ?? randomHex16(), traceFlags);
    return fields;
  }

  async #compare(first: RawAnswer, second: RawAnswer, turn: MirrorTurn | null): Promise<void> {
    const { policy, state } = this.#mirror;
    const { rules, maxBytes } = policy;
    try {
      const answers = [
        answerOf(first, rules.fields, maxBytes),
        answerOf(second, rules.fields, maxBytes),
      ] as const;
      const [one, other] = await Promise.all(answers);
      state.noteDifferences(this.#arm, turn, compareAnswers(one, other, rules));
    } catch (error) {
      this.#exchange.runtime.logger.error({ err: error }, 'a mirrored answer could not be compared');
    } finally {
      state.giveUp(turn);
      this.#release();
    }
  }

  #release(): void {
    this.#mirror.state.inFlight -= 1;
    releaseExchange(this.#exchange.snapshot);
  }
}
