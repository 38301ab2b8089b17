/**
 * What many runs of a scenario amount to, as tables and sentences; a loss is printed like a win. Knows no judge's logic.
 * @module
 */

import { quantile } from '../rig/numbers.mjs';

const OURS = 'Sluice';

/** By judge and metric; times of undetected regressions count as infinite. */
export function summarise(outcomes) {
  return mapValues(outcomes[0], (byMetric, name) =>
    mapValues(byMetric, (_, metric) => {
      const runs = outcomes.map((outcome) => outcome[name][metric]);
      const detected = runs.filter(({ abortS }) => abortS !== null && abortS >= 0);
      const times = runs.map(({ abortS }) =>
        abortS !== null && abortS >= 0 ? abortS : Number.POSITIVE_INFINITY,
      );
      const passed = runs.flatMap(({ passedS }) => (passedS === null ? [] : [passedS]));
      return {
        aborted: runs.filter(({ abortS }) => abortS !== null).length,
        early: runs.filter(({ abortS }) => abortS !== null && abortS < 0).length,
        detected: detected.length,
        medianS: quantile(times, 0.5),
        p90S: quantile(times, 0.9),
        exposed: quantile(
          runs.map(({ exposed }) => exposed),
          0.5,
        ),
        passed: passed.length,
        passedS: passed.length === 0 ? null : quantile(passed, 0.5),
      };
    }),
  );
}

function mapValues(record, change) {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value, key)]));
}

const namesOf = (results) => Object.keys(results[0].judges);

/** Per judge the false aborts by metric (errors/p95/p99); where all metrics are judged together, one number. */
export function healthyTable(results) {
  const healthy = results.filter(({ regression }) => regression === null);
  const names = namesOf(results);
  const cell = (byMetric) => [...new Set(Object.values(byMetric).map(({ aborted }) => aborted))];
  const rows = healthy.map(({ title, judges, runs }) => {
    const { passed, passedS } = judges[OURS].all;
    return [
      title,
      ...names.map((name) =>
        cell(judges[name]).length === 1
          ? cell(judges[name])[0]
          : Object.values(judges[name])
              .map(({ aborted }) => aborted)
              .join('/'),
      ),
      passed === 0 ? 'never' : `${passedS} s (${Math.round((100 * passed) / runs)} %)`,
    ];
  });
  return [['scenario', ...names, 'Sluice proves it after'], rows];
}

/** When a healthy step gets more traffic, pooled over the scenarios. */
export function promotionLine(results) {
  const healthy = results.filter(({ regression }) => regression === null);
  const parts = namesOf(results).map((name) => {
    const all = healthy.flatMap(({ judges }) => Object.values(judges[name]));
    const times = all.flatMap(({ passedS }) => (passedS === null ? [] : [passedS]));
    return `${name} ${times.length === 0 ? 'never' : `${quantile(times, 0.5)} s`}`;
  });
  return `Median over the scenarios of the time until a healthy step gets more traffic: ${parts.join(', ')}`;
}

export function regressionTable(results) {
  const names = namesOf(results);
  const rows = regressions(results).map(({ title, judges, runs }) => [
    title,
    ...names.map((name) => {
      const [summary] = Object.values(judges[name]);
      const { detected, medianS, p90S, exposed } = summary;
      if (detected === 0) return 'never';
      return `${percent(detected, runs)} ${seconds(medianS)}/${seconds(p90S)} (${exposed})`;
    }),
  ]);
  return [['scenario', ...names], rows];
}

/** Of each regression: who is faster than Sluice, and at which rate of false aborts on the healthy twin. */
export function verdicts(results) {
  return regressions(results).map((result) => {
    const rivals = rivalsOf(result, results).filter(({ faster }) => faster);
    const lost = rivals.filter(({ honest }) => honest);
    const others = rivals.filter(({ honest }) => !honest);
    const show = ({ name, medianS, falseAborts }) =>
      `${name} ${seconds(medianS)} s (${falseAborts} of ${result.runs} healthy runs aborted)`;
    const ours = Object.values(result.judges[OURS])[0];
    const oursFalse = falseAborts(OURS, result, results);
    const head = `${result.title}: Sluice ${seconds(ours.medianS)} s (${oursFalse} of ${result.runs})`;
    const lines = [
      lost.length === 0 ? 'no judge as careful is faster' : `LOST to ${lost.map(show).join(', ')}`,
      ...(others.length === 0 ? [] : [`faster only with more false aborts: ${others.map(show).join(', ')}`]),
    ];
    return `${head}: ${lines.join('; ')}`;
  });
}

/** Where Sluice has a goal: what became of it. */
export function goals(results) {
  return regressions(results).flatMap(({ title, goal, judges }) => {
    if (goal === undefined) return [];
    const parts = Object.entries(goal).map(([name, most]) => {
      const value = judges[OURS].all[name];
      const missed = value <= most ? '' : `, MISSED by ${seconds(value - most)}`;
      return `${GOALS[name]} ${seconds(value)} of ${most}${missed}`;
    });
    return [`${title}: ${parts.join('; ')}`];
  });
}

const GOALS = { medianS: 'median s', p90S: '90th percentile s', exposed: 'exposed requests' };

/** Judges other than Sluice: whether faster, and whether their false aborts on the healthy twin are no more. */
export function rivalsOf(result, results) {
  const ours = Object.values(result.judges[OURS])[0];
  return namesOf(results)
    .filter((name) => name !== OURS)
    .map((name) => {
      const [summary] = Object.values(result.judges[name]);
      const count = falseAborts(name, result, results);
      return {
        name,
        ...summary,
        falseAborts: count,
        honest: count <= falseAborts(OURS, result, results),
        faster: isFaster(summary, ours),
      };
    });
}

/** By the median; where neither sees half of the runs, by how many it sees. */
function isFaster(one, other) {
  if (Number.isFinite(one.medianS) || Number.isFinite(other.medianS)) return one.medianS < other.medianS;
  return one.detected > other.detected;
}

function falseAborts(name, { twin, metrics }, results) {
  const healthy = results.find(({ id }) => id === twin).judges[name];
  return (healthy[metrics[0]] ?? healthy.all).aborted;
}

function regressions(results) {
  return results.filter(({ regression }) => regression !== null);
}

function percent(count, of) {
  return `${Math.round((100 * count) / of)}%`;
}

export function seconds(value) {
  return Number.isFinite(value) ? String(value) : '-';
}
