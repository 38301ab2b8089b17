/**
 * Rules: abort conditions as data, as `config/rule-expression.ts` parses them and `core/analysis` checks them.
 * Knows neither the text they came from nor where the numbers come from.
 * @module
 */

/** What a rule compares. Rates are fractions (0.01 = 1 %), latencies milliseconds. */
export type Condition =
  /** `5xx > 2x` or `5xx > +100%`: the canary's error rate against the baseline's over the same seconds. */
  | { readonly kind: 'rate-ratio'; readonly factor: number }
  /** `5xx > 1%`: against a fixed rate (a fraction here: 0.01). */
  | { readonly kind: 'rate-limit'; readonly limit: number }
  /** `p95 > +50%` (factor 1.5) or `p95 > 1.5x`: against the baseline's quantile. */
  | { readonly kind: 'quantile-ratio'; readonly quantile: number; readonly factor: number }
  /** `p99 > 800ms`: against a fixed latency. */
  | { readonly kind: 'quantile-limit'; readonly quantile: number; readonly limitMs: number }
  /** `differs > 1%`: the share (0.01) of the canary's mirrored answers that differ in a place that is no noise. */
  | { readonly kind: 'differs'; readonly limit: number }
  /** `promql: <query> > 0.5`: the query's one value against a number. */
  | {
      readonly kind: 'promql';
      readonly query: string;
      readonly operator: Comparison;
      readonly limit: number;
    };

/**
 * Counters that a user has named for a `rate-ratio` or `rate-limit`: PromQL selectors without a range, in which
 * `$version` stands for a version. Every event that `bad` counts is one that `total` counts too.
 */
export interface CounterPair {
  readonly bad: string;
  readonly total: string;
}

export type Comparison = '>' | '>=' | '<' | '<=' | '==' | '!=';

export interface Rule {
  /** As the user wrote it; shown everywhere. */
  readonly text: string;
  readonly condition: Condition;
  /** Window that the point estimate looks back over, milliseconds. */
  readonly overMs: number;
  /** The breach must have held this long without a break, milliseconds; 0 acts at once. */
  readonly forMs: number;
  /** Canary requests in the window below which the verdict is `undecided`. */
  readonly minRequests: number;
  /** Of a ratio of rates: the canary must also fail more often than this (a fraction); null: no floor. */
  readonly floor: number | null;
  /** Where rates and latencies come from; `promql` conditions always ask Prometheus. */
  readonly source: 'telemetry' | 'prometheus';
  /** Of rates from Prometheus: what is counted, where it isn't the attempts that gateways count. */
  readonly counters?: CounterPair;
}

export type Verdict = 'pass' | 'fail' | 'undecided' | 'no-evidence';

/**
 * Why there is nothing to judge. `no-traffic`: gateways report, but no canary request. `no-baseline`: the
 * baseline had none. `breaker-open`: a circuit breaker or an adaptive limit refuses a version's requests, so
 * that the few attempts left are no sample. `split-mismatch`: users are not split as the weights say. `stale`: gateways have gone silent. `lost`: summaries are missing. `partial`: a gateway
 * that serves does not report. `not-mirrored`: the step
 * mirrors, but no answer was compared. `mirror-only`: the step only mirrors, so the rule has no traffic to judge.
 * `no-mirror`: the rule judges mirrored answers, and the step mirrors none. The others are a
 * metric source's: down, too slow, an answer with no, several, or not-a-number values, a refused query.
 */
export type NoEvidenceCause =
  | 'no-traffic'
  | 'no-baseline'
  | 'breaker-open'
  | 'split-mismatch'
  | 'stale'
  | 'lost'
  | 'partial'
  | 'not-mirrored'
  | 'mirror-only'
  | 'no-mirror'
  | 'source-down'
  | 'source-slow'
  | 'source-refused'
  | 'empty'
  | 'nan'
  | 'many-series'
  | 'not-asked-yet';

export interface RateArm {
  readonly bad: number;
  readonly total: number;
}

export interface QuantileArm {
  readonly total: number;
  readonly valueMs: number;
}

/** The numbers behind a verdict. `baseline` is null where the rule has none. */
export type Evidence =
  | {
      readonly kind: 'rate';
      /** What is counted as bad; left out: failures of requests. */
      readonly of?: 'differences';
      readonly windowMs: number;
      readonly canary: RateArm;
      readonly baseline: RateArm | null;
      /** The rate that the rule allows the canary, 0–1; left out where nothing says. */
      readonly limit?: number;
    }
  | {
      readonly kind: 'quantile';
      readonly windowMs: number;
      readonly quantile: number;
      readonly canary: QuantileArm;
      readonly baseline: QuantileArm | null;
      /** What the rule allows the canary, milliseconds; left out where nothing says. */
      readonly limitMs?: number;
    }
  | { readonly kind: 'scalar'; readonly query: string; readonly value: number; readonly sampledAtMs: number }
  | { readonly kind: 'none'; readonly cause: NoEvidenceCause; readonly detail?: string };

/** Evidence of a rule under the run's error budget, which all rules share. Each is 1 when nothing is known. */
export interface Proof {
  /** That the canary is worse. Looking every second does not weaken it. */
  readonly worse: number;
  /** The rule's share of the budget: rules whose limit is broken add up `share · worse`. */
  readonly share: number;
  /** The sum that aborts: one over the accepted probability of a false abort. */
  readonly needed: number;
  /** That the canary keeps the limit, in this step. */
  readonly fine: number;
  /** What `fine` has to reach for the step to be proven. */
  readonly fineNeeded: number;
  /** The baseline breaks the same fixed limit, with as much evidence: not the canary's fault. */
  readonly environment: boolean;
  /** The canary's instance in which its failures gather; `worse` is without it then. Left out without one. */
  readonly instance?: string;
}

/** One evaluation of one rule. */
export interface Check {
  /** Index into the plan's `abort` list. */
  readonly rule: number;
  readonly text: string;
  /** Part of the traffic that it is about, such as `route=checkout`. Left out: all of it. */
  readonly segment?: string;
  readonly verdict: Verdict;
  /** Since when the condition has held without a break, epoch milliseconds; null when it does not hold. */
  readonly breachedSinceMs: number | null;
  readonly evidence: Evidence;
  /** What the rule's bets have won; null: a threshold without a guarantee. */
  readonly proof: Proof | null;
  /** One sentence with the numbers, such as `5xx 4.1% (41/1000) is over 2x the baseline's 0.5% (99/19800)`. */
  readonly summary: string;
}
