/**
 * A rollout event as a Slack message: Block Kit, and the plain text that notifications and old clients show.
 * Pure; knows Slack's limits and escaping, not how a message is sent.
 * @module
 */

import { assertNever } from '../../core/domain/assert-never.ts';
import { eventId, type RolloutEvent, type RolloutEventType } from '../../core/domain/rollout-event.ts';
import type { Check } from '../../core/domain/rule.ts';
import { describeMove, shareAfter } from '../../core/domain/share.ts';

/** `verbatim` keeps Slack from making links and mentions of names. */
interface Markdown {
  readonly type: 'mrkdwn';
  readonly text: string;
  readonly verbatim: true;
}

export type SlackBlock =
  | {
      readonly type: 'header';
      readonly text: { readonly type: 'plain_text'; readonly text: string; readonly emoji: false };
    }
  | { readonly type: 'section'; readonly text: Markdown }
  | { readonly type: 'section'; readonly fields: readonly Markdown[] }
  | { readonly type: 'context'; readonly elements: readonly Markdown[] };

export interface SlackMessage {
  readonly text: string;
  /** At most six, of the 50 that Slack takes. */
  readonly blocks: readonly SlackBlock[];
}

// Slack's limits, in characters as it counts them: after escaping, UTF-16 units.
const HEADER_MAX = 150;
const FIELD_MAX = 2000;
const SECTION_MAX = 3000;
/** Of one evidence line, so that a long query does not crowd out the other checks. */
const LINE_MAX = 600;

export function slackMessage(event: RolloutEvent): SlackMessage {
  const title = titleOf(event);
  const lines = evidenceLines(event);
  return {
    text: escapeTo(`${title}: ${event.reason}`, SECTION_MAX),
    blocks: [
      { type: 'header', text: { type: 'plain_text', text: escapeTo(title, HEADER_MAX), emoji: false } },
      {
        type: 'section',
        fields: [
          field('Baseline', event.baseline),
          field('Canary', event.canary),
          field('Step', String(event.step + 1)),
          field('Canary weight', describeMove(event, '→')),
        ],
      },
      { type: 'section', text: markdown(escapeTo(event.reason, SECTION_MAX)) },
      ...(lines.length > 0 ? [{ type: 'section', text: markdown(joinTo(lines, SECTION_MAX)) } as const] : []),
      { type: 'context', elements: [markdown(contextOf(event))] },
    ],
  };
}

/** Glyph and word: never colour or emoji alone. */
function titleOf(event: RolloutEvent): string {
  return `${glyph(event.type)} ${event.rollout} ${words(event)}`;
}

function glyph(type: RolloutEventType): string {
  switch (type) {
    case 'started':
    case 'resumed':
      return '▶';
    case 'advanced':
      return '↑';
    case 'awaiting-gate':
      return '?';
    case 'gate-passed':
    case 'promoted':
      return '✓';
    case 'paused':
      return '‖';
    case 'aborted':
      return '✗';
    case 'undone':
      return '↩';
    default:
      return assertNever(type);
  }
}

function words(event: RolloutEvent): string {
  switch (event.type) {
    case 'started':
      return `started ${shareAfter(event, 'at ')}`;
    case 'advanced':
      return `advanced to ${shareAfter(event)}`;
    case 'awaiting-gate':
      return 'waits for its gate';
    case 'gate-passed':
      return 'passed its gate';
    case 'paused':
      return `paused ${shareAfter(event, 'at ')}`;
    case 'resumed':
      return 'resumed';
    case 'aborted':
      return 'aborted';
    case 'promoted':
      return 'promoted';
    case 'undone':
      return 'undone';
    default:
      return assertNever(event.type);
  }
}

/** What made the decision: failing checks, or, where the cause was silence, the checks without evidence. */
function evidenceLines(event: RolloutEvent): readonly string[] {
  const verdict = event.code === 'NO_EVIDENCE' ? 'no-evidence' : 'fail';
  return event.evidence.filter((check) => check.verdict === verdict).map(evidenceLine);
}

function evidenceLine(check: Check): string {
  const mark = check.verdict === 'fail' ? '✗' : '?';
  return escapeTo(`${mark} ${check.text}: ${check.summary}`.replaceAll(/\s+/g, ' '), LINE_MAX);
}

function contextOf(event: RolloutEvent): string {
  const iso = new Date(event.atMs).toISOString();
  // Slack shows this in the reader's own time zone, and the text after the bar where it cannot.
  const time = `<!date^${Math.floor(event.atMs / 1000)}^{date_short} {time_secs}|${iso}>`;
  const actor = event.actor.kind === 'operator' ? 'operator' : `by ${event.actor.name}`;
  return `${escapeTo(actor, LINE_MAX)} · ${time} · ${escapeTo(eventId(event), LINE_MAX)}`;
}

function field(label: string, value: string): Markdown {
  return markdown(`*${label}*\n${escapeTo(value, FIELD_MAX - label.length - 3)}`);
}

function markdown(text: string): Markdown {
  return { type: 'mrkdwn', text, verbatim: true };
}

/** Whole lines only, and how many did not fit. */
function joinTo(lines: readonly string[], max: number): string {
  const reserve = '\n… and 99 more'.length;
  let text = '';
  for (const [index, line] of lines.entries()) {
    const longer = index === 0 ? line : `${text}\n${line}`;
    if (longer.length > max - reserve) return `${text}\n… and ${lines.length - index} more`;
    text = longer;
  }
  return text;
}

/** Escapes the three characters that Slack reads as markup and cuts between characters, never inside one. */
function escapeTo(text: string, max: number): string {
  const characters = Array.from(text, (character) => ESCAPES[character] ?? character);
  const whole = characters.join('');
  if (whole.length <= max) return whole;
  let cut = '';
  for (const character of characters) {
    if (cut.length + character.length > max - 1) break;
    cut += character;
  }
  return `${cut}…`;
}

const ESCAPES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;' };
