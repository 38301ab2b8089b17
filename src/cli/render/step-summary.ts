/**
 * The Markdown report that `start --wait` appends to a GitHub Actions step summary. Pure.
 * @module
 */

import { describeMove } from '../../core/domain/share.ts';
import { formatBp } from '../../core/domain/weight.ts';
import type { RolloutView } from '../../core/view/rollout-view.ts';
import { printable } from './text.ts';

export function renderStepSummary(view: RolloutView): string {
  const ok = view.severity === 'good';
  const checks = view.checks.map(
    (check) => `| ${cell(check.text)} | ${check.verdict} | ${cell(check.summary)} |`,
  );
  const events = view.events
    .filter((event) => event.run === view.run)
    .map((event) => {
      const time = new Date(event.atMs).toISOString().slice(11, 19);
      const weights = describeMove(event, '→');
      return `| ${time} | ${event.type} | ${weights} | ${cell(event.actor.name)} | ${cell(event.reason)} |`;
    });
  const table = (head: string, rows: readonly string[]) =>
    rows.length === 0 ? [] : ['', head, head.replace(/[^|]+/g, '---'), ...rows];
  return `${[
    `## ${ok ? '✅' : view.severity === 'bad' ? '❌' : '⏳'} ${view.rollout}: ${view.word}`,
    '',
    `\`${view.service}\` ${view.baseline} → ${view.canary}, canary ${canaryText(view)}. ${cell(view.sentence)}`,
    ...table('| Check | Verdict | Evidence |', checks),
    ...table('| Time (UTC) | Event | Canary | By | Why |', events),
  ].join('\n')}\n`;
}

function canaryText({ weight, mirror }: RolloutView): string {
  return mirror === undefined
    ? `at **${formatBp(weight.setBp)}**`
    : `**mirroring ${formatBp(mirror.shareBp)}**`;
}

/** Notes and reasons are other people's text: they may neither break the table nor become markup. */
function cell(text: string): string {
  return printable(text).replace(/[\\`*_[\]<>|#~]/g, (character) => `\\${character}`);
}
