/**
 * `rollout analyze`: judges a stretch of the past by a plan, from what Prometheus has kept of it. Changes nothing and
 * needs no operator, so that CI can hold a plan against yesterday.
 * @module
 */

import { statSync } from 'node:fs';
import type { Command } from 'commander';
import type { RuleHindsight } from '../../core/analysis/hindsight.ts';
import { formatDuration, parseDurationMs } from '../../core/domain/duration.ts';
import { SluiceError } from '../../core/domain/errors.ts';
import type { Plan } from '../../core/domain/plan.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { judgeHistory, MAX_STEP_MS, type Stretch } from '../history.ts';
import { declaredPlan, planIn } from '../plan-file.ts';
import { type AnalysisReport, renderAnalysis } from '../render/analysis.ts';
import type { VerbContext } from '../verb-context.ts';
import type { RegisterVerb } from '../verb-runner.ts';

interface AnalyzeOptions {
  readonly from: string;
  readonly to: string;
  readonly step?: string;
  readonly prometheus?: string;
  readonly gateway: string;
  readonly rollouts: string;
}

const WEEK_MS = 7 * 86_400_000;
/** The newest scrapes may still be on their way. */
const SETTLED_MS = 60_000;
const TIMES =
  'Such as --from 2026-03-01T14:00:00Z, --from 1772373600 (seconds since 1970) or --from 2h (ago)';

export const registerAnalyze: RegisterVerb = (program, run) => {
  program
    .command('analyze')
    .argument('<plan>', 'a rollout file, or the name of a declared rollout')
    .description('judge a stretch of the past by a plan, from Prometheus')
    .requiredOption('--from <time>', 'where it begins: a date, seconds since 1970, or how long ago')
    .option('--to <time>', 'where it ends', 'now')
    .option('--step <duration>', 'length of an interval (default: from scrape to scrape)')
    .option('--prometheus <url>', 'where the history is (env SLUICE_PROMETHEUS)')
    .option('--gateway <path>', 'gateway configuration', 'proxy/gateway.yaml')
    .option('--rollouts <dir>', 'folder of rollouts', 'rollouts')
    .action((plan: string, options: AnalyzeOptions, command: Command) =>
      run(command, (context) => analyze(context, plan, options)),
    );
};

/** Exit code 3 when the plan would have aborted. */
async function analyze(context: VerbContext, name: string, options: AnalyzeOptions): Promise<ExitCode> {
  const stretch = stretchOf(options, context.io.now());
  const url = urlOf(options.prometheus ?? context.io.env.SLUICE_PROMETHEUS);
  const plan = isFile(name) ? await planIn(name) : await declaredPlan(name, options);
  if (plan.abort.length === 0) {
    throw new SluiceError('NO_HISTORY', { detail: `${plan.rollout} has no rules that could abort it` });
  }
  const source = await context.io.openPrometheus(url, context.io.env.SLUICE_PROMETHEUS_TOKEN?.trim() || null);
  const history = await judgeHistory(source, plan, stretch, context.io.signal).catch((error: unknown) => {
    if (context.io.signal.aborted) return null;
    throw withUrl(error, url);
  });
  if (history === null) return EXIT.interrupted;
  checkJudged(plan, history.rules);
  const aborted = firstAbort(history.rules);
  const { rollout, service, baseline, canary } = plan;
  const { fromMs, toMs } = stretch;
  const report: AnalysisReport = { rollout, service, baseline, canary, fromMs, toMs, ...history, aborted };
  if (context.json) context.dataJson(report);
  else context.data(renderAnalysis(report, context.render()));
  return aborted === null ? EXIT.success : EXIT.aborted;
}

/** The first abort, with all rules that were to blame at that moment. */
function firstAbort(rules: readonly RuleHindsight[]): AnalysisReport['aborted'] {
  const times = rules.flatMap(({ abortedAtMs }) => (abortedAtMs === null ? [] : [abortedAtMs]));
  if (times.length === 0) return null;
  const atMs = Math.min(...times);
  return { atMs, rules: rules.filter((each) => each.abortedAtMs === atMs).map(({ rule }) => rule) };
}

function checkJudged(plan: Plan, rules: readonly RuleHindsight[]): void {
  if (rules.some(({ gap }) => gap === null)) return;
  const why = rules.map(({ text, gap }) => `"${text}": ${gap?.detail ?? ''}`).join('; ');
  throw new SluiceError('NO_HISTORY', {
    detail: why,
    hint: `Does this Prometheus scrape the gateways that serve ${plan.canary} of ${plan.service}, and did they then?`,
  });
}

function stretchOf({ from, to, step }: AnalyzeOptions, nowMs: number): Stretch {
  const fromMs = timeOf(from, '--from', nowMs);
  const toMs = Math.min(timeOf(to, '--to', nowMs), nowMs - SETTLED_MS);
  if (fromMs >= toMs) {
    const hint =
      toMs === nowMs - SETTLED_MS
        ? 'The newest minute is left out: its scrapes may still be on their way.'
        : TIMES;
    throw new SluiceError('USAGE', { detail: `--from ${from} is not before --to ${to}`, hint });
  }
  if (toMs - fromMs > WEEK_MS) {
    throw new SluiceError('USAGE', {
      detail: `${formatDuration(toMs - fromMs)} are more than ${formatDuration(WEEK_MS)} at once`,
      hint: 'Ask for a shorter time.',
    });
  }
  const stepMs = step === undefined ? null : parseDurationMs(step);
  if (stepMs === undefined || (stepMs !== null && (stepMs < 1000 || stepMs > MAX_STEP_MS))) {
    throw new SluiceError('USAGE', {
      detail: `--step must be a duration from 1s to ${formatDuration(MAX_STEP_MS)}, got "${step}"`,
    });
  }
  return { fromMs, toMs, stepMs };
}

function timeOf(text: string, option: string, nowMs: number): number {
  const agoMs = parseDurationMs(text.replace(/^-/, ''));
  if (agoMs !== undefined) return nowMs - agoMs;
  if (text === 'now') return nowMs;
  if (/^\d{9,10}(?:\.\d+)?$/.test(text)) return Number(text) * 1000;
  // With its zone: a time of day without one means another moment on every machine.
  const isDate = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d))?$/.test(text);
  const atMs = isDate ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(atMs)) return atMs;
  throw new SluiceError('USAGE', { detail: `${option} must be a time, got "${text}"`, hint: TIMES });
}

function urlOf(text: string | undefined): string {
  const hint = 'Such as --prometheus http://127.0.0.1:9090, or SLUICE_PROMETHEUS';
  if (text === undefined || text === '') {
    throw new SluiceError('USAGE', { detail: 'it is not said which Prometheus has the history', hint });
  }
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url && /^https?:$/.test(url.protocol) && !url.username && !url.password) return text;
  throw new SluiceError('USAGE', {
    detail: `Prometheus must be an http(s) URL without credentials, got "${text}"`,
    hint,
  });
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
}

function withUrl(error: unknown, url: string): unknown {
  if (!(error instanceof SluiceError) || error.code !== 'METRICS_UNAVAILABLE') return error;
  return new SluiceError(error.code, {
    detail: `${url}: ${error.detail ?? ''}`,
    hint: 'Is it running, and is this the address of its API?',
    cause: error,
  });
}
