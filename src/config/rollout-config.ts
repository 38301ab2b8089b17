/**
 * Loads the text of `rollouts/<name>.yaml` to a {@link Plan}, or to findings with their places.
 * Owns defaults and the relations to the gateway's and the operator's configuration; reads no file.
 * @module
 */

import { basename } from 'node:path';
import type { Plan } from '../core/domain/plan.ts';
import type { MatchOverride } from '../core/domain/split-document.ts';
import { FULL_BP, formatBp } from '../core/domain/weight.ts';
import type { LoadResult } from './diagnostic.ts';
import { suggestion } from './edit-distance.ts';
import type { ConfigFile } from './findings.ts';
import type { GatewayConfig } from './gateway-model.ts';
import { checkRamp, readAuto } from './rollout-auto.ts';
import { readRules } from './rollout-rules.ts';
import { readSchedule } from './rollout-schedule.ts';
import { type RolloutYaml, rolloutSchema } from './rollout-schema.ts';
import { buildSteps, checkMirrors, checkSteps } from './rollout-steps.ts';
import { checkIsMap, checkSchema } from './schema-check.ts';
import { checkSight } from './step-sight.ts';
import { parseYaml, type YamlSource } from './yaml-source.ts';

/** What a plan needs to know of the operator; both its YAML and its loaded configuration have it. */
export interface OperatorFacts {
  readonly prometheus?: object | null | undefined;
  readonly notifiers: Readonly<Record<string, unknown>>;
}

const DEFAULT_FALSE_ABORT = 0.01;
/** Of the budget, for comparisons within segments. */
const DEFAULT_SEGMENTS_BP = 1_000;
const DEFAULT_NO_EVIDENCE_AFTER_MS = 60_000;
const DEFAULT_OPERATOR_LOSS = { afterMs: 30_000, action: 'baseline' } as const;

/** Pure. `gateway` or `operator` null: unknown, so nothing is checked against it. */
export function loadRolloutPlan(
  file: ConfigFile,
  gateway: GatewayConfig | null,
  operator: OperatorFacts | null,
): LoadResult<Plan> {
  const source = parseYaml(file);
  const sources = { [file.name]: file.text };
  const yaml = checkIsMap(source, 'rollout, service, steps …')
    ? checkSchema(source, rolloutSchema)
    : undefined;
  const plan = yaml && buildPlan(source, yaml, gateway, operator);
  const value = plan && !source.findings.hasErrors() ? plan : null;
  return { value, diagnostics: source.findings.list(), sources };
}

function buildPlan(
  source: YamlSource,
  yaml: RolloutYaml,
  gateway: GatewayConfig | null,
  operator: OperatorFacts | null,
): Plan {
  checkFileName(source, yaml);
  checkVersions(source, yaml, gateway);
  if (yaml.steps !== 'auto') checkSteps(source, yaml.steps);
  checkNotifiers(source, yaml.notify, operator);
  const abort = readRules(source, yaml, operator && Boolean(operator.prometheus));
  checkMirrors(source, yaml, abort, gateway);
  if (yaml.abort.length === 0) {
    const place = Object.hasOwn(Object(source.value), 'abort') ? ['abort'] : ['rollout'];
    const hint = 'add rules, such as abort: [{ when: 5xx > 2x }]';
    source.findings.warning(
      source.keyRange(place),
      'there are no abort rules, so nothing can stop a bad canary',
      hint,
    );
  }
  const auto = readAuto(source, yaml, abort);
  const plan: Plan = {
    rollout: yaml.rollout,
    service: yaml.service,
    baseline: yaml.baseline,
    canary: yaml.canary,
    steps: buildSteps(source, yaml, abort, auto),
    ...(auto && { auto }),
    abort,
    advance: readAdvance(yaml),
    falseAbort: readFalseAbort(source, yaml),
    segmentShare: (yaml.guarantee?.segments ?? DEFAULT_SEGMENTS_BP) / FULL_BP,
    onNoEvidence: readNoEvidence(yaml.onNoEvidence),
    onOperatorLoss: yaml.onOperatorLoss
      ? { afterMs: yaml.onOperatorLoss.after, action: yaml.onOperatorLoss.do }
      : DEFAULT_OPERATOR_LOSS,
    schedule: readSchedule(source, yaml.schedule),
    notify: [...new Set(yaml.notify)],
    salt: yaml.salt ?? `${yaml.service}/${yaml.rollout}`,
    matches: readOverrides(source, yaml, gateway),
    ...(yaml.traffic && { traffic: yaml.traffic }),
  };
  if (source.findings.hasErrors()) return plan;
  if (auto) checkRamp(source, plan, auto);
  else checkSight(source, yaml, plan);
  return plan;
}

function checkFileName(source: YamlSource, yaml: RolloutYaml): void {
  const actual = basename(source.file.absolutePath);
  if (actual === `${yaml.rollout}.yaml` || actual === `${yaml.rollout}.yml`) return;
  source.findings.warning(
    source.valueRange(['rollout']),
    `the rollout "${yaml.rollout}" is in a file called ${actual}`,
    `rename the file to ${yaml.rollout}.yaml`,
  );
}

function checkVersions(source: YamlSource, yaml: RolloutYaml, gateway: GatewayConfig | null): void {
  if (yaml.baseline === yaml.canary) {
    source.findings.error(
      source.valueRange(['canary']),
      `expected another version than the baseline, got "${yaml.canary}" for both`,
    );
  }
  if (!gateway) return;
  const service = Object.hasOwn(gateway.services, yaml.service) ? gateway.services[yaml.service] : undefined;
  if (!service) {
    source.findings.error(
      source.valueRange(['service']),
      `the gateway has no service "${yaml.service}"`,
      suggestion(yaml.service, Object.keys(gateway.services)),
    );
    return;
  }
  const versions = Object.keys(service.versions);
  for (const key of ['baseline', 'canary'] as const) {
    if (!versions.includes(yaml[key])) reportVersion(source, [key], yaml.service, yaml[key], versions);
  }
}

function reportVersion(
  source: YamlSource,
  path: readonly PropertyKey[],
  service: string,
  version: string,
  versions: readonly string[],
): void {
  const message = `the service "${service}" has no version "${version}"`;
  source.findings.error(source.valueRange(path), message, suggestion(version, versions));
}

function readFalseAbort(source: YamlSource, yaml: RolloutYaml): number {
  const bp = yaml.guarantee?.falseAbort;
  if (bp === undefined) return DEFAULT_FALSE_ABORT;
  if (bp === 0 || bp >= FULL_BP / 2) {
    const hint = bp === 0 ? 'at 0% no evidence would ever suffice to abort' : undefined;
    const place = source.valueRange(['guarantee', 'falseAbort']);
    source.findings.error(place, `expected more than 0% and less than 50%, got ${formatBp(bp)}`, hint);
  }
  return bp / FULL_BP;
}

function readAdvance({ advance }: RolloutYaml): Plan['advance'] {
  if (advance?.when !== 'proven') return 'elapsed';
  return advance.unproven === 'hold' ? 'proven-only' : 'proven';
}

function readNoEvidence(policy: RolloutYaml['onNoEvidence']): Plan['onNoEvidence'] {
  if (typeof policy === 'object') return { afterMs: policy.after, action: policy.do };
  return { afterMs: DEFAULT_NO_EVIDENCE_AFTER_MS, action: policy ?? 'hold' };
}

function checkNotifiers(source: YamlSource, notify: readonly string[], operator: OperatorFacts | null): void {
  if (!operator) return;
  const known = Object.keys(operator.notifiers);
  for (const [index, name] of notify.entries()) {
    if (known.includes(name)) continue;
    const hint = suggestion(name, known) ?? 'add it to operator.notifiers in rollouts/operator.yaml';
    source.findings.error(source.valueRange(['notify', index]), `there is no notifier "${name}"`, hint);
  }
}

function readOverrides(
  source: YamlSource,
  yaml: RolloutYaml,
  gateway: GatewayConfig | null,
): readonly MatchOverride[] {
  const service =
    gateway && Object.hasOwn(gateway.services, yaml.service) ? gateway.services[yaml.service] : undefined;
  const versions = service && Object.keys(service.versions);
  const matches: MatchOverride[] = [];
  for (const [index, { header, claim, equals, version }] of yaml.overrides.entries()) {
    const path = ['overrides', index];
    if (versions && !versions.includes(version)) {
      reportVersion(source, [...path, 'version'], yaml.service, version, versions);
    }
    if (header !== undefined && claim !== undefined) {
      source.findings.error(source.keyRange([...path, 'claim']), 'expected either header or claim, got both');
    } else if (header !== undefined) {
      matches.push({ source: { header }, equals, version });
    } else if (claim !== undefined) {
      matches.push({ source: { claim }, equals, version });
    } else {
      source.findings.error(
        source.keyRange([...path, 'equals']),
        'expected a header or a claim to compare, got neither',
      );
    }
  }
  return matches;
}
