/**
 * The regressions as a picture: median time to abort per judge, filled where it aborts healthy canaries no more often
 * than Sluice, hollow where it does. Writes SVG; knows no judge's logic.
 * @module
 */

import { mkdirSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { ROOT } from '../rig/sluice.mjs';
import { rivalsOf } from './summary.mjs';

const LEFT = 330;
const RIGHT = 700;
const ROW = 26;
const TOP = 80;
const TICKS = [1, 3, 10, 30, 100, 300, 1000];
const LONGEST_S = 1800;
const COLOURS = [
  '#d62728',
  '#ff7f0e',
  '#bcbd22',
  '#2ca02c',
  '#17becf',
  '#1f77b4',
  '#9467bd',
  '#8c564b',
  '#7f7f7f',
];

export function plot(results) {
  const rows = results.filter(({ regression }) => regression !== null);
  const names = Object.keys(results[0].judges);
  const height = TOP + ROW * rows.length + 30;
  const width = LEFT + RIGHT + 60;
  const marks = rows.flatMap((result, at) => [
    text(LEFT - 10, TOP + at * ROW + 4, result.title, 'end'),
    `<line x1="${LEFT}" x2="${LEFT + RIGHT}" y1="${TOP + at * ROW}" y2="${TOP + at * ROW}" stroke="#eee"/>`,
    ...points(result, results).map(({ name, medianS, honest }) =>
      point(names.indexOf(name), medianS, honest, at),
    ),
  ]);
  const svg = [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" font-family="sans-serif" font-size="12">`,
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    text(
      LEFT,
      18,
      'Median seconds from the regression to the abort; hollow: aborts healthy canaries more often than Sluice',
      'start',
    ),
    ...names.map((name, at) => legend(name, at)),
    ...TICKS.flatMap((tick) => [
      `<line x1="${x(tick)}" x2="${x(tick)}" y1="${TOP - 12}" y2="${height - 30}" stroke="#ddd"/>`,
      text(x(tick), height - 12, `${tick} s`, 'middle'),
    ]),
    ...marks,
    '</svg>',
  ].join('\n');
  const folder = join(ROOT, 'bench', 'results');
  mkdirSync(folder, { recursive: true });
  const path = join(folder, 'judges.svg');
  writeFileSync(path, `${svg}\n`);
  return relative(ROOT, path);
}

function points(result, results) {
  const ours = { name: 'Sluice', honest: true, ...result.judges.Sluice.all };
  return [...rivalsOf(result, results), ours].filter(({ medianS }) => Number.isFinite(medianS));
}

function point(colour, medianS, honest, row) {
  const fill = honest ? COLOURS[colour] : 'none';
  const radius = colour === 0 ? 7 : 5;
  return `<circle cx="${x(medianS)}" cy="${TOP + row * ROW}" r="${radius}" fill="${fill}" stroke="${COLOURS[colour]}" stroke-width="2"/>`;
}

function legend(name, at) {
  const left = LEFT + (at % 5) * 140;
  const top = 38 + Math.floor(at / 5) * 18;
  return `<circle cx="${left}" cy="${top}" r="5" fill="${COLOURS[at]}"/>${text(left + 10, top + 4, name, 'start')}`;
}

function x(secondsToAbort) {
  const share = Math.log(Math.max(1, secondsToAbort)) / Math.log(LONGEST_S);
  return (LEFT + share * RIGHT).toFixed(1);
}

function text(left, top, content, anchor) {
  const safe = content.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
  return `<text x="${left}" y="${top}" text-anchor="${anchor}">${safe}</text>`;
}
