/**
 * What a metric source answered, as evidence of a rule. Judges nothing.
 * @module
 */

import type { Evidence, Rule } from '../domain/rule.ts';
import { latencyLimit } from './breach.ts';
import type { RuleSample } from './judge.ts';

export function evidenceOfSample(rule: Rule, sample: RuleSample): Evidence {
  switch (sample.kind) {
    case 'none':
    case 'scalar':
      return sample;
    case 'quantile': {
      const quantile = 'quantile' in rule.condition ? rule.condition.quantile : 0;
      const { canary, baseline } = sample;
      const limit = latencyLimit(rule.condition, baseline?.valueMs ?? null);
      return { kind: 'quantile', windowMs: rule.overMs, quantile, canary, baseline, ...limit };
    }
  }
}
