/**
 * `rollout plan`: what a plan will be able to see, before anything starts. Works offline with stated traffic; asks the
 * control API for the measured one otherwise.
 * @module
 */

import type { Command } from 'commander';
import { fastestRamp } from '../../core/analysis/ramp.ts';
import { SluiceError } from '../../core/domain/errors.ts';
import type { Plan } from '../../core/domain/plan.ts';
import type { ServiceTraffic } from '../../core/domain/service-traffic.ts';
import { forecastPlan } from '../../core/rollout/forecast-plan.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { declaredPlan } from '../plan-file.ts';
import { renderForecast } from '../render/forecast.ts';
import { renderAuto, renderProposal } from '../render/ramp.ts';
import type { VerbContext } from '../verb-context.ts';
import type { RegisterVerb } from '../verb-runner.ts';

interface PlanOptions {
  readonly rps?: string;
  readonly errors?: string;
  readonly budget?: string;
  readonly gateway: string;
  readonly rollouts: string;
}

export const registerPlan: RegisterVerb = (program, run) => {
  program
    .command('plan')
    .argument('<rollout>', 'its name, as declared')
    .description('what each step and rule will be able to see, and how long it takes')
    .option('--rps <n>', 'requests per second of the service (default: as its file states, else as measured)')
    .option(
      '--errors <percent>',
      'its share of errors, such as 0.5% (default: as its file states, else as measured)',
    )
    .option(
      '--budget <n>',
      'propose the fastest ramp of which a bad release fails so many requests, such as 50',
    )
    .option('--gateway <path>', 'gateway configuration', 'proxy/gateway.yaml')
    .option('--rollouts <dir>', 'folder of rollouts', 'rollouts')
    .action((name: string, options: PlanOptions, command: Command) =>
      run(command, (context) => plan(context, name, options)),
    );
};

async function plan(context: VerbContext, name: string, options: PlanOptions): Promise<ExitCode> {
  const stated = {
    rps: numberOf(options.rps, '--rps', /^\d+(?:\.\d+)?$/),
    errors: numberOf(options.errors?.replace(/%$/, ''), '--errors', /^\d+(?:\.\d+)?$/),
  };
  const budget = numberOf(options.budget?.replace(/\s*failed requests$/, ''), '--budget', /^\d+$/);
  const declared = await declaredPlan(name, options);
  const traffic = await trafficOf(context, declared, stated);
  const { followed, result, auto } = forecastPlan(declared, traffic);
  const ramp = budget === null ? undefined : fastestRamp(declared, traffic, budget);
  if (context.json) {
    const proposed = ramp === undefined ? {} : { ramp };
    context.dataJson({ rollout: name, traffic, ...result, ...(auto && { auto }), ...proposed });
    return EXIT.success;
  }
  context.data(renderForecast(followed, traffic, result, context.render()));
  if (declared.auto && auto) context.data(renderAuto(declared.auto, traffic, auto));
  if (ramp !== undefined && budget !== null) context.data(renderProposal(ramp, budget));
  return EXIT.success;
}

function numberOf(text: string | undefined, option: string, form: RegExp): number | null {
  if (text === undefined) return null;
  const value = Number(text);
  if (form.test(text) && value < 1e9) return value;
  throw new SluiceError('USAGE', { detail: `${option} must be a number, got "${text}"` });
}

async function trafficOf(
  context: VerbContext,
  { rollout, traffic: declared }: Plan,
  flags: { readonly rps: number | null; readonly errors: number | null },
): Promise<ServiceTraffic> {
  const rps = flags.rps ?? declared?.requestsPerSecond ?? null;
  const errorRate = flags.errors === null ? (declared?.errorRate ?? null) : flags.errors / 100;
  if (rps !== null && errorRate !== null) return { requestsPerSecond: rps, errorRate };
  const hint = 'State it: --rps 200 --errors 0.5%';
  const client = await context.connect();
  const measured = await client.traffic(rollout).catch((error: unknown) => {
    if (!(error instanceof SluiceError) || error.code !== 'UNREACHABLE') throw error;
    throw new SluiceError('UNREACHABLE', { detail: error.detail ?? '', hint });
  });
  if (measured === null) {
    throw new SluiceError('RUN_UNKNOWN', { detail: 'there is too little traffic to measure', hint });
  }
  return {
    requestsPerSecond: rps ?? measured.requestsPerSecond,
    errorRate: errorRate ?? measured.errorRate,
  };
}
