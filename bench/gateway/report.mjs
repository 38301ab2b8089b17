/**
 * Turns the rounds into the table and the sentences, wins and losses alike. Measures nothing.
 * @module
 */

import { grouped, median, quartiles, table } from '../rig/numbers.mjs';

/** A saturated proxy that gets less than this share of a core was disturbed. */
const BUSY_BELOW = 0.85;

export function report({ flags, contenders, rounds, ceiling, faults }) {
  const names = contenders.map(({ name }) => name);
  const of = (name, field) => rounds.map((round) => round[name][field]);
  const rows = names.map((name) => [
    name,
    grouped(median(of(name, 'requestsPerSecond'))),
    median(of(name, 'p50Ms')).toFixed(2),
    median(of(name, 'p99Ms')).toFixed(2),
    median(of(name, 'cpuUsPerRequest')).toFixed(1),
    `${median(of(name, 'userUs')).toFixed(0)} + ${median(of(name, 'kernelUs')).toFixed(0)}`,
    spread(of(name, 'cpuUsPerRequest')),
    `${(100 * median(of(name, 'coreShare'))).toFixed(0)} %`,
    rounds.reduce((sum, round) => sum + round[name].errorCount, 0),
  ]);
  const head = [
    'proxy',
    'requests/s',
    'p50 ms',
    'p99 ms',
    'CPU µs/request',
    'user + kernel',
    'quartiles',
    'of a core',
    'errors',
  ];
  const busy = median(names.flatMap((name) => of(name, 'coreShare'))) < BUSY_BELOW;
  const pairs = names.slice(1).map((name) => compare(rounds, name));
  const pairHead = [
    'Sluice against',
    'requests/s',
    'quartiles',
    'requests per CPU-second',
    'quartiles',
    'in words',
  ];
  const pairRows = pairs.map(({ name, rate, capacity, words }) => [
    name,
    `${rate.mid.toFixed(2)}x`,
    `${rate.low.toFixed(2)} to ${rate.high.toFixed(2)}`,
    `${capacity.mid.toFixed(2)}x`,
    `${capacity.low.toFixed(2)} to ${capacity.high.toFixed(2)}`,
    words,
  ]);
  const text = [
    '',
    `Medians of ${rounds.length} rounds, ${flags.connections} connections, ${flags.bytes} bytes a body`,
    '',
    table(head, rows),
    '',
    'Paired within each round (above 1: Sluice does more)',
    '',
    table(pairHead, pairRows),
    '',
    ...(busy
      ? ['The proxies did not get a core to themselves: other work, or a load generator at its limit.']
      : []),
    ...(busy ? ['Trust CPU per request and the paired ratios, not requests/s and latency.', ''] : []),
    `load generator and upstream without a proxy: ${grouped((ceiling.answered / ceiling.elapsedMs) * 1000)} requests/s`,
    ...contenders.map(({ name, label }) => `${name}: ${label}`),
    faults.length === 0
      ? 'every answer was checked, status and body: no errors'
      : `ERRORS:\n${faults.map((fault) => JSON.stringify(fault)).join('\n')}`,
  ].join('\n');
  return { text, figures: { pairs } };
}

function compare(rounds, name) {
  const rate = quartiles(
    rounds.map((round) => round.sluice.requestsPerSecond / round[name].requestsPerSecond),
  );
  const capacity = quartiles(
    rounds.map((round) => round[name].cpuUsPerRequest / round.sluice.cpuUsPerRequest),
  );
  return { name, rate, capacity, words: inWords(capacity) };
}

/** A difference within the quartiles is none. */
function inWords({ low, high }) {
  if (low > 1) return 'Sluice is cheaper';
  if (high < 1) return 'Sluice is dearer';
  return 'no clear difference';
}

function spread(values) {
  const { low, high } = quartiles(values);
  return `${low.toFixed(0)} to ${high.toFixed(0)}`;
}
