/**
 * What a metric source's failures mean for a rule: typed reasons why there is no evidence. Asks nobody.
 * @module
 */

import { formatDuration } from '../core/domain/duration.ts';
import type { NoEvidenceCause } from '../core/domain/rule.ts';
import type { MetricResult } from './metric-source.ts';

export interface SampleGap {
  readonly kind: 'none';
  readonly cause: NoEvidenceCause;
  readonly detail: string;
}

/** `what` was asked for. */
export function gapOf(result: Exclude<MetricResult, { kind: 'value' }>, what: string): SampleGap {
  switch (result.kind) {
    case 'empty':
      return none('empty', `no series matched (${what})`);
    case 'nan':
      return none('nan', `the answer is not a number (${what})`);
    case 'many-series':
      return none(
        'many-series',
        `${result.count} series matched where one was expected: ${result.examples.join(', ')}`,
      );
    case 'slow':
      return none('source-slow', `no answer within ${formatDuration(result.timeoutMs)}`);
    case 'down':
      return none('source-down', result.detail);
    case 'refused':
      return none('source-refused', result.detail);
  }
}

export function none(cause: NoEvidenceCause, detail: string): SampleGap {
  return { kind: 'none', cause, detail };
}
