/**
 * The steps of a rollout file: that they ascend, mirrors before weights, and what each becomes in a plan. Knows the file;
 * not how a step is judged.
 * @module
 */

import { longestRamp } from '../core/analysis/ramp.ts';
import { formatDuration } from '../core/domain/duration.ts';
import type { AutoBounds, Gate, Step } from '../core/domain/plan.ts';
import type { Rule } from '../core/domain/rule.ts';
import { FULL_BP, formatBp } from '../core/domain/weight.ts';
import type { GatewayConfig } from './gateway-model.ts';
import { maxHold } from './rollout-rules.ts';
import { listedSteps, type RolloutYaml, type StepYaml } from './rollout-schema.ts';
import type { YamlSource } from './yaml-source.ts';

/** A proof may shorten a hold to this part of it, unless the step says otherwise. */
const MIN_HOLD_PART = 5;
/** Canary requests, or compared answers, without which a step says nothing. */
const STEP_REQUESTS = 50;
const DEFAULT_GATE_INTERVAL_MS = 10_000;
const DEFAULT_GATE_TIMEOUT_MS = 10_000;

export function checkSteps(source: YamlSource, steps: readonly StepYaml[]): void {
  checkKinds(source, steps);
  checkAscent(source, steps, 'mirror');
  const before = checkAscent(source, steps, 'weight');
  const last = steps.length - 1;
  const lastStep = steps[last];
  if (lastStep === undefined || before === FULL_BP) return;
  const { weight } = lastStep;
  source.findings.error(
    source.valueRange(['steps', last, ...(weight === undefined ? [] : ['weight'])]),
    `expected the last step to have 100%, got ${weight === undefined ? 'no weight' : formatBp(weight)}`,
    'add a step with weight: 100%',
  );
}

/** A step either sends the canary users, or asks it beside the baseline before it has any. */
function checkKinds(source: YamlSource, steps: readonly StepYaml[]): void {
  const firstWeight = steps.findIndex(({ weight }) => weight !== undefined);
  for (const [index, { weight, mirror }] of steps.entries()) {
    const path = ['steps', index];
    if (mirror === undefined) {
      if (weight === undefined)
        source.findings.error(source.valueRange(path), 'expected a weight or a mirror, got neither');
    } else if (weight !== undefined) {
      const hint = 'a step that mirrors leaves the canary without users: make it a step of its own';
      source.findings.error(
        source.keyRange([...path, 'mirror']),
        'expected either a weight or a mirror, got both',
        hint,
      );
    } else if (firstWeight >= 0 && firstWeight < index) {
      source.findings.error(
        source.keyRange([...path, 'mirror']),
        `expected mirrors before weights: steps[${firstWeight}] sends the canary users already`,
        'move it up',
      );
    }
  }
}

/** Returns the highest share. */
function checkAscent(source: YamlSource, steps: readonly StepYaml[], key: 'weight' | 'mirror'): number {
  let before = 0;
  let holder = '';
  for (const [index, step] of steps.entries()) {
    const share = step[key];
    if (share === undefined) continue;
    if (share <= before) {
      const message = `${key}s must ascend: expected more than ${formatBp(before)}${holder}, got ${formatBp(share)}`;
      source.findings.error(source.valueRange(['steps', index, key]), message);
    } else {
      before = share;
      holder = `, the ${key} of steps[${index}]`;
    }
  }
  return before;
}

export function buildSteps(
  source: YamlSource,
  yaml: RolloutYaml,
  rules: readonly Rule[],
  auto: AutoBounds | undefined,
): readonly Step[] {
  if (auto) return longestRamp(auto).map((weightBp) => autoStep(auto, weightBp, neededBy(rules, false)));
  const proven = yaml.advance?.when === 'proven';
  return listedSteps(yaml).map((step, index) => {
    const { hold } = step;
    const holdMs = maxHold(step);
    if (typeof hold === 'object') checkHold(source, index, hold, proven);
    return {
      weightBp: step.weight ?? 0,
      ...(step.mirror !== undefined && { mirrorBp: step.mirror }),
      holdMs,
      minHoldMs: typeof hold === 'object' ? hold.min : holdMs / MIN_HOLD_PART,
      // At 100 % there is no baseline left to compare with: waiting for requests would prove nothing.
      requests: step.requests ?? (step.weight === FULL_BP ? 0 : neededBy(rules, step.mirror !== undefined)),
      gate: buildGate(step.gate),
    };
  });
}

/** Of the longest ramp that the bounds allow, with its shortest holds. */
function autoStep({ minHoldMs }: AutoBounds, weightBp: number, needed: number): Step {
  const holdMs = weightBp === FULL_BP ? 0 : minHoldMs;
  return { weightBp, holdMs, minHoldMs: holdMs, requests: weightBp === FULL_BP ? 0 : needed, gate: null };
}

function neededBy(rules: readonly Rule[], mirrors: boolean): number {
  if (rules.length === 0) return 0;
  const judging = rules.filter(({ condition }) => (condition.kind === 'differs') === mirrors);
  return Math.max(STEP_REQUESTS, ...judging.map(({ minRequests }) => minRequests));
}

function checkHold(
  source: YamlSource,
  index: number,
  hold: { readonly min: number; readonly max: number },
  proven: boolean,
): void {
  if (hold.min > hold.max) {
    source.findings.error(
      source.valueRange(['steps', index, 'hold', 'min']),
      `expected at most the maximum of ${formatDuration(hold.max)}, got ${formatDuration(hold.min)}`,
    );
  }
  if (!proven) {
    source.findings.warning(
      source.keyRange(['steps', index, 'hold', 'min']),
      'without a proof every hold lasts its maximum',
      'add advance: { when: proven }',
    );
  }
}

function buildGate(gate: StepYaml['gate']): Gate | null {
  if (gate === undefined) return null;
  if (gate === 'manual') return { kind: 'manual' };
  return {
    kind: 'webhook',
    url: gate.webhook,
    intervalMs: gate.interval ?? DEFAULT_GATE_INTERVAL_MS,
    timeoutMs: gate.timeout ?? DEFAULT_GATE_TIMEOUT_MS,
  };
}

/** A mirror that nothing judges or that no route takes part in, and a rule about mirrors without one. */
export function checkMirrors(
  source: YamlSource,
  yaml: RolloutYaml,
  rules: readonly Rule[],
  gateway: GatewayConfig | null,
): void {
  const judging = rules.findIndex(({ condition }) => condition.kind === 'differs');
  const mirroring = listedSteps(yaml).findIndex(({ mirror }) => mirror !== undefined);
  const routes = gateway?.routes.filter(({ service }) => service === yaml.service) ?? [];
  if (mirroring >= 0 && routes.length > 0 && routes.every(({ unmirrored }) => unmirrored === true)) {
    source.findings.warning(
      source.keyRange(['steps', mirroring, 'mirror']),
      `no route of "${yaml.service}" may be mirrored, so this step never has evidence`,
      'take mirror: false from a route',
    );
  }
  if (mirroring >= 0 && judging < 0 && rules.length === yaml.abort.length) {
    source.findings.warning(
      source.keyRange(['steps', mirroring, 'mirror']),
      'no abort rule judges what the mirror shows',
      'add { when: differs > 1%, over: 5m } to abort',
    );
  }
  if (judging >= 0 && mirroring < 0 && rules.length === yaml.abort.length) {
    source.findings.warning(
      source.valueRange(['abort', judging, 'when']),
      'no step mirrors, so this rule never acts',
      'add a first step such as { mirror: 10%, hold: 10m }',
    );
  }
}
