/**
 * Runs one batch after another, each from a seed of its own, and names that seed when one fails. How many: a fixed number
 * in `npm test`, or for as long as `npm run fuzz` says. Knows nothing of what is fuzzed.
 * @module
 */

import { Seeded } from './seeded.ts';

const DEFAULT_SEED = 20_261_124;

export interface FuzzPlan {
  /** Of the first batch; the next ones count up. */
  readonly seed: number;
  /** Null: as many batches as the test says. */
  readonly seconds: number | null;
}

/** From `FUZZ_SEED` and `FUZZ_SECONDS`; with a seed and no time, that one batch is run alone. */
export function fuzzPlan(env: Readonly<Record<string, string | undefined>>): FuzzPlan {
  const { FUZZ_SEED, FUZZ_SECONDS } = env;
  const seed = numberOf('FUZZ_SEED', FUZZ_SEED) ?? DEFAULT_SEED;
  const seconds = numberOf('FUZZ_SECONDS', FUZZ_SECONDS) ?? (FUZZ_SEED === undefined ? null : 0);
  return { seed, seconds };
}

function numberOf(name: string, text: string | undefined): number | null {
  if (text === undefined || text === '') return null;
  if (!/^\d{1,9}$/.test(text)) throw new Error(`${name}: expected a whole number, got ${text}`);
  return Number(text);
}

/** Time that a test with `runBatches` may take, milliseconds. */
export function fuzzTimeoutMs({ seconds }: FuzzPlan): number {
  return 120_000 + (seconds ?? 0) * 1_000;
}

export async function runBatches(
  { seed, seconds }: FuzzPlan,
  batches: number,
  run: (random: Seeded) => Promise<void>,
): Promise<void> {
  const untilMs = performance.now() + (seconds ?? 0) * 1_000;
  const goesOn = (done: number): boolean =>
    done === 0 || (seconds === null ? done < batches : performance.now() < untilMs);
  for (let done = 0; goesOn(done); done += 1) {
    try {
      await run(new Seeded(seed + done));
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new Error(`batch ${done} failed; FUZZ_SEED=${seed + done} runs it alone: ${reason}`, {
        cause: error,
      });
    }
  }
}
