/**
 * `steps: auto` of a rollout file: the shape of its bounds, their defaults, and what makes them impossible to keep.
 * Knows the file and the arithmetic of ramps; not how a run follows one.
 * @module
 */

import * as z from 'zod';
import { BadReleases, MEAN } from '../core/analysis/bad-release.ts';
import { DEFAULT_BOUNDS, defaultRegression, isComparison, rampFrom } from '../core/analysis/ramp.ts';
import { obstacleText } from '../core/analysis/ramp-text.ts';
import { formatDuration } from '../core/domain/duration.ts';
import type { AutoBounds, Plan } from '../core/domain/plan.ts';
import type { Rule } from '../core/domain/rule.ts';
import { FULL_BP, formatBp } from '../core/domain/weight.ts';
import { duration, percentBp } from './primitives.ts';
import type { YamlSource } from './yaml-source.ts';

const SECOND = 1000;
const DAY = 86_400_000;
const MAX_BUDGET = 1_000_000_000;

const BUDGET_TEXT = /^\s*([1-9]\d{0,8})\s+failed requests?\s*$/;
const EXPECTED_BUDGET = 'expected a number of failed requests, such as 50 failed requests';

const budget = z
  .union([z.int().min(1).max(MAX_BUDGET), z.string().regex(BUDGET_TEXT, { error: EXPECTED_BUDGET })], {
    error: EXPECTED_BUDGET,
  })
  .transform((stated) => (typeof stated === 'number' ? stated : Number.parseInt(stated, 10)));

function factor(least: number, example: string) {
  return z
    .string({ error: `expected a factor such as ${example}` })
    .meta({ examples: [example], pattern: '^\\s*\\d+(\\.\\d+)?\\s*x\\s*$' })
    .transform((text, context) => {
      const value = Number(/^\s*(\d+(?:\.\d+)?)\s*x\s*$/.exec(text)?.[1]);
      if (value >= least && value <= 1000) return value;
      const message = `expected a factor from ${least}x to 1000x, such as ${example}, got "${text}"`;
      context.addIssue({ code: 'custom', message });
      return z.NEVER;
    });
}

export const autoSchema = z.strictObject({
  budget: budget.meta({
    description:
      'Failed requests that a bad release is expected to cost at most, such as 50 failed requests.',
  }),
  regression: factor(1.01, '3x').optional().meta({
    description:
      'The smallest release that counts as bad, as a multiple of the baseline’s errors. Default: a quarter beyond the smallest factor of the rules, 2.5x for 5xx > 2x.',
  }),
  from: percentBp.optional().meta({ description: 'Weight of the first step. Default 1%.' }),
  maxFactor: factor(2, '3x').optional().meta({
    description: 'A step has at most so many times the weight of the one before. Default 3x.',
  }),
  hold: z
    .strictObject({
      min: duration(SECOND, 30 * DAY)
        .optional()
        .meta({ description: 'Default 1m.' }),
      max: duration(SECOND, 30 * DAY)
        .optional()
        .meta({ description: 'Default 30m.' }),
    })
    .optional()
    .meta({ description: 'Of each step: time with evidence.' }),
  duration: z
    .strictObject({ max: duration(SECOND, 365 * DAY) })
    .optional()
    .meta({
      description:
        'Of the whole run, pauses and closed schedules left out: then it pauses and a person is asked. Default 6h.',
    }),
});

export type AutoYaml = z.output<typeof autoSchema>;

/** The bounds with their defaults; undefined when the file lists its steps, or says `auto` without any bounds. */
export function readAuto(
  source: YamlSource,
  yaml: { readonly steps: 'auto' | readonly unknown[]; readonly auto?: AutoYaml | undefined },
  rules: readonly Rule[],
): AutoBounds | undefined {
  const { auto } = yaml;
  if (yaml.steps !== 'auto') {
    if (auto)
      source.findings.error(
        source.keyRange(['auto']),
        'these bounds are of steps: auto, and the steps are listed',
        'write steps: auto, or remove the bounds',
      );
    return undefined;
  }
  if (!auto) {
    const hint = 'such as auto: { budget: 50 failed requests }';
    source.findings.error(source.valueRange(['steps']), 'steps: auto needs a budget', hint);
    return undefined;
  }
  const bounds: AutoBounds = {
    budget: auto.budget,
    regression: auto.regression ?? defaultRegression(rules),
    fromBp: auto.from ?? DEFAULT_BOUNDS.fromBp,
    maxFactor: auto.maxFactor ?? DEFAULT_BOUNDS.maxFactor,
    minHoldMs:
      auto.hold?.min ?? Math.min(DEFAULT_BOUNDS.minHoldMs, auto.hold?.max ?? Number.POSITIVE_INFINITY),
    maxHoldMs: auto.hold?.max ?? Math.max(DEFAULT_BOUNDS.maxHoldMs, auto.hold?.min ?? 0),
    maxDurationMs: auto.duration?.max ?? DEFAULT_BOUNDS.maxDurationMs,
  };
  checkBounds(source, bounds, rules);
  return bounds;
}

function checkBounds(source: YamlSource, bounds: AutoBounds, rules: readonly Rule[]): void {
  const { findings } = source;
  if (bounds.fromBp === 0 || bounds.fromBp === FULL_BP) {
    findings.error(
      source.valueRange(['auto', 'from']),
      `expected more than 0% and less than 100%, got ${formatBp(bounds.fromBp)}`,
    );
  }
  if (bounds.minHoldMs > bounds.maxHoldMs) {
    findings.error(
      source.valueRange(['auto', 'hold', 'min']),
      `expected at most the maximum of ${formatDuration(bounds.maxHoldMs)}, got ${formatDuration(bounds.minHoldMs)}`,
    );
  }
  const comparing = rules.filter(isComparison);
  if (comparing.length === 0) {
    findings.error(
      source.valueRange(['steps']),
      'steps: auto goes by a comparison of error rates, and there is no such rule',
      'add one, such as abort: [{ when: 5xx > 2x }]',
    );
  }
  const limits = comparing.flatMap(({ condition }) => ('factor' in condition ? condition.factor : []));
  const smallest = Math.min(...limits);
  if (bounds.regression <= smallest && limits.length > 0) {
    findings.error(
      source.valueRange(['auto', 'regression']),
      `expected more than the ${smallest}x of the rule, got ${bounds.regression}x: a release at a rule's limit is over it half of the time only`,
      `such as ${defaultRegression(rules)}x`,
    );
  }
}

/** Call it for a file without errors. What no traffic could help is an error, what the stated traffic leads to a warning. */
export function checkRamp(source: YamlSource, plan: Plan, bounds: AutoBounds): void {
  const place = source.valueRange(['auto', 'budget']);
  // In failed requests the cost of a regression does not depend on the traffic, as long as that is little.
  const least = new BadReleases(plan, { requestsPerSecond: 0, errorRate: 0.005 }, bounds.regression);
  const cost = least.worstAt(bounds.fromBp, least.seen([], MEAN), 0);
  if (cost.failures > bounds.budget) {
    source.findings.error(
      place,
      `at any traffic, a release with ${bounds.regression}x the errors fails about ${Math.ceil(cost.failures)} requests before it is proven: no ramp stays inside ${bounds.budget}`,
      `allow ${Math.ceil(cost.failures)} or more, or guard against a larger regression`,
    );
    return;
  }
  if (!plan.traffic) return;
  const start = { exposures: [{ weightBp: bounds.fromBp, requests: 0 }], heldMs: 0, proven: false };
  const ramp = rampFrom(plan, bounds, { traffic: plan.traffic, ...start });
  if (ramp.obstacle) {
    const text = obstacleText(bounds, plan.traffic, ramp.obstacle, ramp);
    const tooMuch = ramp.obstacle.kind === 'budget';
    const hint = tooMuch
      ? 'begin with less, or allow more'
      : 'allow more, hold for longer, or begin with more';
    source.findings.warning(place, text, hint);
    return;
  }
  const takesMs = ramp.steps.reduce((sum, { holdMs }) => sum + holdMs, 0);
  if (takesMs <= bounds.maxDurationMs) return;
  source.findings.warning(
    source.valueRange(['auto', 'duration', 'max']),
    `at the stated traffic the ramp takes ${formatDuration(takesMs)}, longer than ${formatDuration(bounds.maxDurationMs)}`,
    'allow more time or more failed requests',
  );
}
