/**
 * An explanation as text: the decision, then for each check its numbers and what they weighed. Shows what
 * `core/view/explanation.ts` found; judges nothing.
 * @module
 */

import { formatEvidence } from '../../core/analysis/assess.ts';
import { costText } from '../../core/analysis/ramp-text.ts';
import { formatDuration } from '../../core/domain/duration.ts';
import type { RampRecord } from '../../core/domain/ramp.ts';
import type { Proof } from '../../core/domain/rule.ts';
import { describeMove } from '../../core/domain/share.ts';
import { formatBp } from '../../core/domain/weight.ts';
import type { ExplainedArm, ExplainedCheck, Explanation } from '../../core/view/explanation.ts';
import { NO_GUARANTEE } from '../../core/view/rollout-view.ts';
import { ruleText } from './checks.ts';
import { createStyle, type Style } from './style.ts';
import {
  formatCount,
  formatDateTime,
  formatLatency,
  formatRate,
  padEnd,
  printable,
  type RenderOptions,
  wrap,
} from './text.ts';

const LABEL = 11;
const MAX_LINES = 6;

export function renderExplanation({ event, checks }: Explanation, options: RenderOptions): readonly string[] {
  const style = createStyle(options);
  const weights = describeMove(event, style.arrow);
  const by = event.actor.kind === 'user' ? `, by ${printable(event.actor.name)}` : '';
  return [
    `${style.bold(event.rollout)} run ${event.run}: ${event.type} at step ${event.step + 1} (${weights})${by}`,
    ...wrap(printable(event.reason), options.columns - 2, MAX_LINES).map((line) => `  ${line}`),
    ...(event.ramp ? ['', ...rampLines(event.ramp, options)] : []),
    ...checks.flatMap((each) => ['', ...checkLines(each, style)]),
    ...(checks.length === 0 ? ['', 'It rests on no check: somebody asked for it.'] : []),
    '',
    style.dim(
      `Event ${event.sequence}, ${formatDateTime(event.atMs, options.timeZone)}, hash ${event.hash.slice(0, 16)}`,
    ),
  ];
}

/** What a ramp of `steps: auto` was decided from: the whole of it, so that it can be decided again. */
function rampLines({ inputs, ramp }: RampRecord, options: RenderOptions): readonly string[] {
  const { traffic, exposures } = inputs;
  const seen = exposures
    .filter(({ requests }) => requests > 0)
    .map(({ weightBp, requests }) => `${formatCount(requests)} at ${formatBp(weightBp)}`);
  const from = `at ${formatCount(traffic.requestsPerSecond)} requests/s, ${formatRate(traffic.errorRate)} errors`;
  const cost = ramp.worst.failures > 0 ? `; ${costText(ramp.worst)}` : '; no bad release is left unseen';
  const judged = seen.length > 0 ? `, canary requests judged: ${seen.join(', ')}` : '';
  return wrap(`ramp ${from}${judged}${cost}`, options.columns - 2, MAX_LINES).map((line) => `  ${line}`);
}

function checkLines({ check, arms, turningPoint }: ExplainedCheck, style: Style): readonly string[] {
  const { glyph, paint } = style.verdict(check.verdict);
  const { evidence } = check;
  const over = 'windowMs' in evidence ? `, over ${formatDuration(evidence.windowMs)}` : '';
  const row = (label: string, text: string): string => `    ${style.dim(padEnd(label, LABEL))}${text}`;
  return [
    `  ${paint(`${glyph} ${printable(ruleText(check))}`)}: ${check.verdict}${over}`,
    ...arms.map((arm, index) => row(index === 0 ? 'canary' : 'baseline', armText(arm))),
    ...(arms.length === 0 ? [row('', printable(check.summary))] : []),
    ...(check.proof === null
      ? [row('evidence', `a threshold: ${NO_GUARANTEE}`)]
      : [row('evidence', proofText(check.proof))]),
    ...(turningPoint === null ? [] : [row('turns', turningPoint)]),
  ];
}

function armText({ version, requests, bad, estimate, interval }: ExplainedArm): string {
  const name = `${printable(version)}  `;
  if (bad === null) return `${name}${formatLatency(estimate)} of ${formatCount(requests)} requests`;
  const bounds = interval ? ` (95%: ${formatRate(interval.low)} to ${formatRate(interval.high)})` : '';
  return `${name}${formatRate(estimate)}, ${formatCount(bad)} of ${formatCount(requests)}${bounds}`;
}

function proofText({ worse, share, needed, fine, fineNeeded, environment, instance }: Proof): string {
  const won = `${formatEvidence(share * worse)} that it is worse, ${formatEvidence(needed)} aborts`;
  const kept = `${formatEvidence(fine)} that it keeps the limit, ${formatEvidence(fineNeeded)} proves it`;
  const others =
    instance === undefined ? '' : `; without ${printable(instance)}, in which the failures gather`;
  return `${won}; ${kept}${environment ? '; the baseline breaks it too' : ''}${others}`;
}
