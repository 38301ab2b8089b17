/**
 * Warns where a step or a rule of a rollout file cannot see anything: from its structure alone, and from the traffic
 * that the file states. Owns the wording and the places; the arithmetic is `core/analysis/forecast.ts`.
 * @module
 */

import {
  forecast,
  isAbout,
  LEAST_SECONDS,
  perSecondAt,
  type Sight,
  type StepForecast,
} from '../core/analysis/forecast.ts';
import { formatDuration } from '../core/domain/duration.ts';
import type { Plan, Step } from '../core/domain/plan.ts';
import type { Rule } from '../core/domain/rule.ts';
import type { ServiceTraffic } from '../core/domain/service-traffic.ts';
import { FULL_BP, formatBp } from '../core/domain/weight.ts';
import { listedSteps, type RolloutYaml } from './rollout-schema.ts';
import type { YamlSource } from './yaml-source.ts';

/** Gateways report a second about one second after its end. */
const REPORT_S = 2;
/** A rate in Prometheus needs two scrapes; 15 s between them is the usual setting. */
const TWO_SCRAPES_MS = 30_000;

/** Call it for a file without errors: `plan` is then what it says. */
export function checkSight(source: YamlSource, yaml: RolloutYaml, plan: Plan): void {
  if (plan.abort.length === 0) return;
  plan.steps.forEach((step, index) => {
    if (step.weightBp < FULL_BP) checkHold(source, yaml, plan, step, index);
  });
  if (plan.traffic) checkWithTraffic(source, yaml, plan, plan.traffic);
}

/** What no traffic could help: a hold that is over before a rule has anything to look at. */
function checkHold(source: YamlSource, yaml: RolloutYaml, plan: Plan, step: Step, index: number): void {
  const { holdMs, requests, gate } = step;
  if (holdMs === 0) {
    if (gate !== null || listedSteps(yaml)[index]?.requests !== undefined) return;
    source.findings.warning(
      source.valueRange(['steps', index, step.mirrorBp === undefined ? 'weight' : 'mirror']),
      `without a hold this step ends with its first ${requests} canary ${counted(step)}, before any rule could act`,
      'add a hold, such as hold: 10m',
    );
    return;
  }
  const leastMs = (LEAST_SECONDS + REPORT_S) * 1000;
  const place = source.valueRange(['steps', index, 'hold']);
  if (holdMs < leastMs && plan.abort.some(({ source: from }) => from === 'telemetry')) {
    source.findings.warning(
      place,
      `expected at least ${formatDuration(leastMs)} for a rule to act in: evidence takes ${LEAST_SECONDS} whole seconds, and their report`,
      'hold the step for longer, such as 1m',
    );
  }
  const asking = plan.abort.find((rule) => rule.source === 'prometheus' && isAbout(rule, step));
  if (holdMs < TWO_SCRAPES_MS && asking) {
    source.findings.warning(
      place,
      `a hold of ${formatDuration(holdMs)} may see fewer than two scrapes of Prometheus, so "${asking.text}" says nothing new in it`,
      'hold the step for 1m or more',
    );
  }
}

function checkWithTraffic(source: YamlSource, yaml: RolloutYaml, plan: Plan, traffic: ServiceTraffic): void {
  const { steps } = forecast(plan, traffic);
  for (const step of steps) {
    checkStepRequests(source, yaml, traffic, step);
    checkStepSees(source, plan, step);
  }
  plan.abort.forEach((rule, index) => {
    checkRuleRequests(source, yaml, plan, traffic, index);
    checkRuleSees(source, rule, index, steps);
  });
}

/** The step asks for more canary requests than its hold brings: it will last longer than it says. */
function checkStepRequests(
  source: YamlSource,
  yaml: RolloutYaml,
  traffic: ServiceTraffic,
  step: StepForecast,
): void {
  const asked = listedSteps(yaml)[step.step]?.requests;
  if (asked === undefined || step.holdMs === 0 || asked <= step.requests) return;
  const perSecond = perSecondAt(step, traffic);
  source.findings.warning(
    source.valueRange(['steps', step.step, 'requests']),
    `${shareOf(step)} of the stated traffic brings ${count(step.requests)} ${counted(step)} in ${formatDuration(step.holdMs)}, so this step lasts ${seconds(asked / perSecond)}`,
    `ask for at most ${count(step.requests)}, or hold the step for ${seconds(asked / perSecond)}`,
  );
}

/** Not even a canary that fails all the time would be seen. */
function checkStepSees(source: YamlSource, plan: Plan, forecasted: StepForecast): void {
  const { step, holdMs, requests, sights } = forecasted;
  if (holdMs === 0 || sights.length === 0 || sights.some(({ smallest }) => smallest !== null)) return;
  const soonest = sights.reduce((best, sight) => (sight.seconds.median < best.seconds.median ? sight : best));
  const rule = plan.abort[soonest.rule];
  const hint = Number.isFinite(soonest.seconds.median)
    ? `"${rule?.text ?? ''}" sees ${times(soonest)} in ${seconds(soonest.seconds.median)}: hold the step for so long, or ${more(forecasted, 'it')}`
    : more(forecasted, 'the step');
  source.findings.warning(
    source.valueRange(['steps', step, 'hold']),
    `${shareOf(forecasted)} of the stated traffic brings ${count(requests)} ${counted(forecasted)} in ${formatDuration(holdMs)}: no rule sees anything in them, not even a total breakdown`,
    hint,
  );
}

/** At these weights the rule's own minimum is out of reach, so that it stays undecided there. */
function checkRuleRequests(
  source: YamlSource,
  yaml: RolloutYaml,
  plan: Plan,
  traffic: ServiceTraffic,
  index: number,
): void {
  const rule = plan.abort[index] as Rule;
  if (rule.condition.kind === 'promql' || rule.counters !== undefined) return;
  const looking = plan.steps.filter(
    (step) => isAbout(rule, step) && (step.weightBp < FULL_BP || !compares(rule)),
  );
  const inWindow = (step: Step): number => (perSecondAt(step, traffic) * rule.overMs) / 1000;
  const short = looking.filter((step) => inWindow(step) < rule.minRequests);
  const first = short[0];
  if (!first) return;
  const where =
    short.length === looking.length
      ? 'it can act in no step'
      : `it cannot act at ${short.map(shareOf).join(', ')}`;
  const stated = yaml.abort[index]?.requests !== undefined;
  source.findings.warning(
    source.valueRange(['abort', index, stated ? 'requests' : 'when']),
    `this rule needs ${count(rule.minRequests)} canary ${counted(first)} in ${formatDuration(rule.overMs)}, and ${shareOf(first)} of the stated traffic brings ${count(inWindow(first))}: ${where}`,
    `look over ${seconds(rule.minRequests / perSecondAt(first, traffic))}, or ${stated ? `ask for fewer ${counted(first)}` : more(first, 'the step')}`,
  );
}

/** Evidence adds up over steps: what all holds together win for a regression of the rule's own size. */
function checkRuleSees(source: YamlSource, rule: Rule, index: number, steps: readonly StepForecast[]): void {
  const looks = steps.flatMap((step) => {
    const sight = step.sights.find((each) => each.rule === index);
    return sight && step.holdMs > 0 ? [{ part: step.holdMs / 1000 / sight.seconds.median, sight }] : [];
  });
  const sum = looks.reduce((total, { part }) => total + part, 0);
  const [first] = looks;
  if (!first || sum >= 1) return;
  source.findings.warning(
    source.valueRange(['abort', index, 'when']),
    `all holds together bring ${Math.floor(sum * 100)}% of the evidence that it takes to see ${times(first.sight)} by "${rule.text}" at the stated traffic`,
    `lengthen the holds, ${rule.condition.kind === 'differs' ? 'mirror more' : 'give the steps more weight'}, or look for a larger regression`,
  );
}

function compares({ condition }: Rule): boolean {
  return condition.kind === 'rate-ratio' || condition.kind === 'quantile-ratio';
}

type Share = Pick<Step, 'weightBp' | 'mirrorBp'>;

function shareOf({ weightBp, mirrorBp }: Share): string {
  return mirrorBp === undefined ? formatBp(weightBp) : `a mirror of ${formatBp(mirrorBp)}`;
}

function counted({ mirrorBp }: Share): string {
  return mirrorBp === undefined ? 'requests' : 'answers';
}

function more({ mirrorBp }: Share, what: string): string {
  return mirrorBp === undefined ? `give ${what} more weight` : 'mirror more';
}

function times({ size }: Sight): string {
  return `${Number(size.toPrecision(2))}x`;
}

function count(requests: number): string {
  return requests < 10 ? String(Number(requests.toPrecision(1))) : String(Math.floor(requests));
}

function seconds(duration: number): string {
  return formatDuration(Math.ceil(duration) * 1000);
}
