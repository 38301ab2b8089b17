/**
 * The table of checks, worst first: both arms' values, their difference, recent values, verdict.
 * Shows what the operator found; never judges.
 * @module
 */

import { formatEvidence } from '../../core/analysis/assess.ts';
import { formatDuration } from '../../core/domain/duration.ts';
import type { Evidence, Proof, Verdict } from '../../core/domain/rule.ts';
import { type CheckView, NO_GUARANTEE, type RolloutView } from '../../core/view/rollout-view.ts';
import type { Style } from './style.ts';
import { type Cell, type Column, renderTable } from './table.ts';
import { cut, formatLatency, formatRate, printable, type RenderOptions } from './text.ts';

/** Columns of terminal from which on evidence is shown. */
const EVIDENCE_FROM = 100;
const COLUMNS: readonly Column[] = [
  { title: 'CHECK', flexible: true },
  { title: 'BASELINE', align: 'right', from: 56 },
  { title: 'CANARY', align: 'right' },
  { title: 'DIFF', align: 'right', from: 72 },
  { title: 'OVER', align: 'right', from: 100 },
  { title: 'EVIDENCE', align: 'right', from: EVIDENCE_FROM },
  { title: 'RECENT', from: 80 },
  { title: 'VERDICT' },
];

const SPARK_WIDTH = 10;
const WORST_FIRST: readonly Verdict[] = ['fail', 'no-evidence', 'undecided', 'pass'];

export function renderChecks(view: RolloutView, options: RenderOptions, style: Style): readonly string[] {
  if (view.checks.length === 0) return [];
  const rank = (check: CheckView) => WORST_FIRST.indexOf(check.verdict);
  const checks = [...view.checks].sort((a, b) => rank(a) - rank(b) || a.rule - b.rule);
  const rows = checks.map((check) => rowOf(check, view.nowMs, style));
  const table = renderTable(COLUMNS, rows, {
    columns: options.columns,
    indent: 2,
    unicode: options.unicode,
    paintTitle: style.dim,
  });
  if (options.columns >= EVIDENCE_FROM) return table;
  const labels = checks.filter(({ threshold }) => threshold === true);
  return [...table, ...labels.map(({ text }) => style.dim(labelLine(text, options)))];
}

/** Where the table has no room for evidence: which of its rules have none. */
function labelLine(text: string, options: RenderOptions): string {
  return cut(`  ${NO_GUARANTEE}: ${printable(text)}`, options.columns, options.unicode);
}

function rowOf(check: CheckView, nowMs: number, style: Style): readonly Cell[] {
  const { glyph, paint } = style.verdict(check.verdict);
  const values = valuesOf(check.evidence, style.dash);
  return [
    { text: `${glyph} ${printable(ruleText(check))}`, paint: check.verdict === 'fail' ? paint : plain },
    { text: values.baseline },
    { text: values.canary, paint: check.verdict === 'fail' ? paint : plain },
    { text: values.difference },
    { text: values.window, paint: style.dim },
    { text: evidenceText(check, style.dash), paint: style.dim },
    { text: sparkline(check.recent, style.sparks), paint: style.dim },
    { text: verdictText(check, nowMs), paint },
  ];
}

/** The rule as written, and in which part of the traffic it is broken. */
export function ruleText({ text, segment }: { readonly text: string; readonly segment?: string }): string {
  return segment === undefined ? text : `${text} in ${segment}`;
}

interface Values {
  readonly baseline: string;
  readonly canary: string;
  readonly difference: string;
  readonly window: string;
}

function valuesOf(evidence: Evidence, dash: string): Values {
  switch (evidence.kind) {
    case 'rate': {
      const canary = rateOf(evidence.canary);
      const baseline = evidence.baseline ? rateOf(evidence.baseline) : null;
      return {
        baseline: baseline === null ? dash : formatRate(baseline),
        canary: canary === null ? dash : formatRate(canary),
        difference: canary === null || baseline === null ? dash : signed((canary - baseline) * 100, 2, 'pp'),
        window: formatDuration(evidence.windowMs),
      };
    }
    case 'quantile': {
      const { canary, baseline } = evidence;
      const ratio = baseline && baseline.valueMs > 0 ? canary.valueMs / baseline.valueMs - 1 : null;
      return {
        baseline: baseline ? formatLatency(baseline.valueMs) : dash,
        canary: formatLatency(canary.valueMs),
        difference: ratio === null ? dash : signed(ratio * 100, 0, '%'),
        window: formatDuration(evidence.windowMs),
      };
    }
    case 'scalar': {
      const canary = String(Number(evidence.value.toPrecision(4)));
      return { baseline: dash, canary, difference: dash, window: dash };
    }
    case 'none':
      return { baseline: dash, canary: dash, difference: dash, window: dash };
  }
}

/** What the rule has won of what aborts. */
function evidenceText({ proof, threshold }: CheckView, dash: string): string {
  if (proof === null) return threshold === true ? NO_GUARANTEE : dash;
  return `${formatEvidence(proof.share * proof.worse)}/${formatEvidence(proof.needed)}`;
}

function rateOf(arm: { readonly bad: number; readonly total: number }): number | null {
  return arm.total > 0 ? arm.bad / arm.total : null;
}

function signed(value: number, digits: number, unit: string): string {
  const text = value.toFixed(digits);
  return `${value < 0 ? '' : '+'}${text}${unit}`;
}

function verdictText(check: CheckView, nowMs: number): string {
  switch (check.verdict) {
    case 'fail':
      return check.breachedSinceMs === null
        ? 'FAIL'
        : `FAIL ${formatDuration(Math.round((nowMs - check.breachedSinceMs) / 1000) * 1000)}`;
    case 'no-evidence':
      return check.evidence.kind === 'none' ? check.evidence.cause : 'no evidence';
    case 'pass':
    case 'undecided':
      return check.breachedSinceMs === null ? check.verdict : brokenBy(check.proof);
  }
}

/** A broken limit that does not abort: whose fault it is, if that is known. */
function brokenBy(proof: Proof | null): string {
  if (proof?.environment === true) return 'environment';
  return proof?.instance === undefined ? 'breached' : 'one instance';
}

/** Scaled between the least and the greatest value shown; gaps stay blank. */
export function sparkline(recent: readonly (number | null)[], sparks: string): string {
  const shown = recent.slice(-SPARK_WIDTH);
  const values = shown.filter((value) => value !== null);
  const low = Math.min(...values);
  const span = Math.max(...values) - low;
  const top = sparks.length - 1;
  return shown
    .map((value) => {
      if (value === null) return ' ';
      return sparks[span === 0 ? Math.floor(top / 2) : Math.round(((value - low) / span) * top)];
    })
    .join('');
}

function plain(text: string): string {
  return text;
}
