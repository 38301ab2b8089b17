import { describe, expect, it } from 'vitest';
import { type SlackMessage, slackMessage } from '../../../src/adapters/slack/slack-message.ts';
import type { RolloutEvent, RolloutEventType } from '../../../src/core/domain/rollout-event.ts';
import { ABORTED, FAILING_RATE, SILENT, STARTED } from '../webhook/events.ts';

/** Every text of the message with the limit that Slack puts on it. */
function texts({ text, blocks }: SlackMessage): readonly { text: string; max: number }[] {
  return [
    { text, max: 3000 },
    ...blocks.flatMap((block) => {
      if (block.type === 'header') return [{ text: block.text.text, max: 150 }];
      if (block.type === 'context')
        return block.elements.map((element) => ({ text: element.text, max: 3000 }));
      if ('fields' in block) return block.fields.map((field) => ({ text: field.text, max: 2000 }));
      return [{ text: block.text.text, max: 3000 }];
    }),
  ];
}

function headerOf(event: RolloutEvent): string {
  const [block] = slackMessage(event).blocks;
  return block?.type === 'header' ? block.text.text : '';
}

describe('slackMessage', () => {
  it('shows an abort with its weights, its reason and the failing checks only', () => {
    const markdown = (text: string) => ({ type: 'mrkdwn', text, verbatim: true });
    expect(slackMessage(ABORTED)).toEqual({
      text: '✗ orders-v2 aborted: The rule 5xx &gt; 2x failed at 5%.',
      blocks: [
        { type: 'header', text: { type: 'plain_text', text: '✗ orders-v2 aborted', emoji: false } },
        {
          type: 'section',
          fields: [
            markdown('*Baseline*\nv1'),
            markdown('*Canary*\nv2'),
            markdown('*Step*\n2'),
            markdown('*Canary weight*\n5% → 0%'),
          ],
        },
        { type: 'section', text: markdown('The rule 5xx &gt; 2x failed at 5%.') },
        {
          type: 'section',
          text: markdown(
            "✗ 5xx &gt; 2x: 5xx 4.1% (41/1000) is over 2x the baseline's 0.5% (99/19800)\n" +
              '✗ promql: sum(rate(payments_failed_total{version="v2"}[5m])) &gt; 0.5: the query gives +Inf, which is &gt; 0.5',
          ),
        },
        {
          type: 'context',
          elements: [
            markdown(
              'operator · <!date^1795000007^{date_short} {time_secs}|2026-11-18T11:06:47.123Z> · orders-v2/1/7',
            ),
          ],
        },
      ],
    });
  });

  it('names the person who acted and shows no evidence where there is none', () => {
    const { blocks } = slackMessage(STARTED);
    expect(blocks.map((block) => block.type)).toEqual(['header', 'section', 'section', 'context']);
    expect(JSON.stringify(blocks.at(-1))).toContain('by mia · ');
  });

  it('shows the silent checks when silence was the cause', () => {
    const text = JSON.stringify(slackMessage({ ...ABORTED, type: 'paused', code: 'NO_EVIDENCE' }).blocks[3]);
    expect(text).toContain('? p99 &gt; 800ms: Prometheus is down');
    expect(text).not.toContain('5xx');
  });

  it('says each kind of event with a glyph and words', () => {
    const types: readonly RolloutEventType[] = [
      'started',
      'advanced',
      'awaiting-gate',
      'gate-passed',
      'paused',
      'resumed',
      'aborted',
      'promoted',
      'undone',
    ];
    expect(types.map((type) => headerOf({ ...STARTED, type }))).toEqual([
      '▶ orders-v2 started at 1%',
      '↑ orders-v2 advanced to 1%',
      '? orders-v2 waits for its gate',
      '✓ orders-v2 passed its gate',
      '‖ orders-v2 paused at 1%',
      '▶ orders-v2 resumed',
      '✗ orders-v2 aborted',
      '✓ orders-v2 promoted',
      '↩ orders-v2 undone',
    ]);
  });

  it('says what is mirrored where nobody is served', () => {
    const mirroring = { ...STARTED, weightBeforeBp: 0, weightAfterBp: 0, mirrorBp: 1_000 };
    expect(headerOf(mirroring)).toBe('▶ orders-v2 started mirroring 10%');
    expect(headerOf({ ...mirroring, type: 'paused' })).toBe('‖ orders-v2 paused mirroring 10%');
    expect(JSON.stringify(slackMessage(mirroring))).toContain('*Canary weight*\\nmirroring 10%');
  });

  it('escapes what people and queries wrote, so that nobody can mention a channel or forge a link', () => {
    const evil = '<!channel> & <https://evil.example|click>';
    const message = slackMessage({
      ...ABORTED,
      reason: evil,
      actor: { kind: 'user', name: evil },
      evidence: [{ ...FAILING_RATE, text: evil, summary: evil }],
    });
    const joined = texts(message)
      .map(({ text }) => text)
      .join('\n');
    expect(joined).not.toContain('<!channel');
    expect(joined).not.toContain('<https');
    expect(joined).toContain('&lt;!channel&gt; &amp; &lt;https://evil.example|click&gt;');
    expect(joined.match(/<!date/g)).toHaveLength(1);
  });

  it('stays within every limit of Slack, and cuts neither an entity nor a character in two', () => {
    for (const filler of ['<', '&', '💥', 'x', '&a', 'a💥']) {
      const long = filler.repeat(5000);
      const message = slackMessage({
        ...ABORTED,
        rollout: long,
        baseline: long,
        canary: long,
        reason: long,
        actor: { kind: 'user', name: long },
        evidence: Array.from({ length: 100 }, () => ({ ...FAILING_RATE, text: long })),
      });
      expect(message.blocks.length).toBeLessThanOrEqual(50);
      for (const { text, max } of texts(message)) {
        expect(text.length).toBeLessThanOrEqual(max);
        expect(text.length).toBeGreaterThan(0);
        expect(text.replaceAll(/&(amp|lt|gt);/g, '')).not.toContain('&');
        expect(text.isWellFormed()).toBe(true);
      }
    }
  });

  it('says how many failing checks did not fit', () => {
    const evidence = Array.from({ length: 50 }, (_, rule) => ({
      ...FAILING_RATE,
      rule,
      text: `rule ${rule}`,
    }));
    const block = slackMessage({ ...ABORTED, evidence: [...evidence, SILENT] }).blocks[3];
    if (block?.type !== 'section' || !('text' in block)) throw new Error('expected the evidence');
    const lines = block.text.text.split('\n');
    expect(lines.at(-1)).toBe(`… and ${50 - (lines.length - 1)} more`);
    expect(lines.length).toBeGreaterThan(20);
  });

  it('keeps a text of exactly the limit whole', () => {
    const reason = 'x'.repeat(3000);
    expect(JSON.stringify(slackMessage({ ...STARTED, reason }).blocks[2])).toContain(reason);
  });
});
