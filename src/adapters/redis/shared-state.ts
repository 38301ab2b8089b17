/**
 * Limits and idempotency keys over Redis: all gateways count together, by the clock of Redis.
 * Owns how limits are spread over keys and put together again; the counting is in the scripts.
 * @module
 */

import { createHash, randomUUID } from 'node:crypto';
import { decideRate } from '../../core/policy/gcra.ts';
import { answerOfQuota, type LimitAnswer, type LimitTake } from '../../core/policy/limit-table.ts';
import type { IdempotentClaim, SharedState } from '../../ports/shared-state.ts';
import type { RedisConnection } from './connection.ts';
import { idempotencyKey, quotaKey, rateKey } from './keys.ts';

/** Limits of one subject: their keys are on one node. */
interface Group {
  readonly takes: LimitTake[];
  readonly keys: string[];
  readonly args: (string | number)[];
  /** Places of the limits in the caller's list. */
  readonly places: number[];
}

export function createRedisSharedState(connection: RedisConnection): SharedState {
  /** A refused request gives back what other groups have taken; usually there is one group and nothing to do. */
  async function take(takes: readonly LimitTake[]): Promise<readonly LimitAnswer[]> {
    const groups = groupBySubject(takes);
    const replies = await Promise.all(
      groups.map(({ keys, args }) => connection.run('take-limits', keys, args) as Promise<number[]>),
    );
    const taken = replies.map(([allowed]) => allowed === 1);
    if (groups.length > 1 && taken.includes(false)) {
      const undone = groups.filter((_, index) => taken[index]);
      await Promise.all(undone.map(({ keys, args }) => connection.run('return-limits', keys, args)));
    }
    const answers: LimitAnswer[] = new Array(takes.length);
    const nowMs = Date.now();
    groups.forEach((group, index) => {
      group.takes.forEach((each, at) => {
        answers[group.places[at] ?? 0] = answerOf(each, replies[index]?.[at + 1] ?? 0, nowMs);
      });
    });
    return answers;
  }

  return {
    takeLimits: take,

    async beginIdempotent(key, fingerprint, claimMs) {
      const token = randomUUID();
      const keys = [idempotencyKey(digestOf(key))];
      const args = [fingerprint, token, claimMs];
      // The reply of `begin-idempotent.lua`.
      const [kind, answer = ''] = (await connection.run('begin-idempotent', keys, args)) as [
        IdempotentClaim['kind'],
        string?,
      ];
      if (kind === 'claimed') return { kind, token };
      return kind === 'answered' ? { kind, answer } : { kind };
    },

    async completeIdempotent(key, token, answer, ttlMs) {
      await connection.run('end-idempotent', [idempotencyKey(digestOf(key))], [token, ttlMs, answer]);
    },

    async abandonIdempotent(key, token) {
      await connection.run('end-idempotent', [idempotencyKey(digestOf(key))], [token, 0, '']);
    },
  };
}

/** The answer from the number that the script found. */
function answerOf(take: LimitTake, found: number, nowMs: number): LimitAnswer {
  if (take.kind === 'quota') return answerOfQuota(take, found, nowMs);
  const { allowed, remaining, retryAfterUs, resetUs } = decideRate(take, found, 0);
  return { allowed, remaining, retryAfterMs: retryAfterUs / 1000, resetMs: resetUs / 1000 };
}

function groupBySubject(takes: readonly LimitTake[]): readonly Group[] {
  const groups = new Map<string, Group>();
  takes.forEach((take, place) => {
    let group = groups.get(take.subject);
    if (group === undefined) {
      group = { takes: [], keys: [], args: [], places: [] };
      groups.set(take.subject, group);
    }
    const digest = digestOf(take.subject);
    group.takes.push(take);
    group.places.push(place);
    if (take.kind === 'rate') {
      group.keys.push(rateKey(digest, take.limit));
      group.args.push('rate', take.intervalUs, take.burst);
    } else {
      group.keys.push(quotaKey(digest, take.limit, take.startMs));
      group.args.push('quota', take.max, take.endMs);
    }
  });
  return [...groups.values()];
}

/** Subjects and keys hold what clients send: of any length and not for everybody's eyes. */
function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('base64url').slice(0, 27);
}
