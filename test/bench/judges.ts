/** The benchmark's judges are plain modules; here are the types that the tests use them by. */

export interface KayentaModule {
  readonly classify: (
    experiment: readonly number[],
    control: readonly number[],
    config?: object,
    normal?: () => number,
  ) => { readonly label: string; readonly critical: boolean };
  readonly mannWhitney: (
    experiment: readonly number[],
    control: readonly number[],
    confidence?: number,
  ) => { readonly low: number; readonly high: number; readonly estimate: number };
  readonly score: (metrics: readonly { readonly label: string; readonly critical: boolean }[]) => number;
  readonly normalQuantile: (p: number) => number;
}

export interface ArgoModule {
  readonly AnalysisRun: new (
    startS: number,
    config: object,
  ) => {
    readonly phase: string;
    readonly aborts: boolean;
    readonly nextAtS: number;
    measure(nowS: number, result: number | readonly number[] | null): string;
  };
  readonly first: (result: readonly number[]) => number;
  readonly phaseOf: (result: number | readonly number[], config: object) => string;
}

export interface FlaggerModule {
  readonly CheckLoop: new (
    startS: number,
    config: object,
  ) => {
    readonly phase: string;
    readonly nextAtS: number;
    tick(nowS: number, metrics: readonly (() => boolean)[]): string;
  };
  readonly inRange: (
    value: number | null,
    range: { readonly min?: number; readonly max?: number },
  ) => boolean;
  readonly nextStep: (
    weight: number,
    config: { readonly stepWeight?: number; readonly stepWeights?: readonly number[] },
  ) => number;
}

export interface PrometheusModule {
  readonly Series: new (
    atEnd: readonly number[],
    offsetS: number,
    everyS?: number,
  ) => { rate(nowS: number, windowS: number): number | null };
  readonly divide: (a: number | null, b: number | null) => number | null;
  readonly histogramQuantile: (q: number, bounds: readonly number[], rates: readonly number[]) => number;
}

export interface RandomModule {
  readonly Random: new (
    seed: number,
    stream?: number,
  ) => {
    uniform(): number;
    normal(): number;
    poisson(mean: number): number;
    binomial(of: number, rate: number): number;
    geometric(mean: number): number;
  };
}

export function loadJudge<Module>(name: string): Promise<Module> {
  return import(new URL(`../../bench/judges/${name}.mjs`, import.meta.url).href);
}
