/**
 * Glyphs and colours by meaning: a glyph always stands beside a word, never colour alone. Knows no layout.
 * @module
 */

import pico from 'picocolors';
import type { Verdict } from '../../core/domain/rule.ts';
import type { Severity, StepView } from '../../core/view/rollout-view.ts';
import type { Paint } from './table.ts';

export interface Style {
  readonly bold: Paint;
  readonly dim: Paint;
  readonly severity: (severity: Severity) => { readonly glyph: string; readonly paint: Paint };
  readonly verdict: (verdict: Verdict) => { readonly glyph: string; readonly paint: Paint };
  readonly step: (state: StepView['state']) => { readonly glyph: string; readonly paint: Paint };
  /** Bar: passed, still to come, between steps. */
  readonly bar: { readonly full: string; readonly empty: string; readonly link: string };
  readonly sparks: string;
  readonly arrow: string;
  readonly dot: string;
  readonly dash: string;
}

export function createStyle(options: { readonly color: boolean; readonly unicode: boolean }): Style {
  const { bold, dim, red, green, yellow, cyan } = pico.createColors(options.color);
  const pick = (unicode: string, ascii: string) => (options.unicode ? unicode : ascii);
  const severities = {
    idle: { glyph: pick('○', 'o'), paint: dim },
    active: { glyph: pick('●', '*'), paint: cyan },
    attention: { glyph: pick('▲', '!'), paint: yellow },
    bad: { glyph: pick('✗', 'x'), paint: red },
    good: { glyph: pick('✓', '+'), paint: green },
  } as const;
  const verdicts = {
    fail: severities.bad,
    pass: severities.good,
    undecided: { glyph: pick('·', '.'), paint: dim },
    'no-evidence': { glyph: pick('·', '.'), paint: yellow },
  } as const;
  const steps = {
    done: severities.good,
    current: severities.active,
    upcoming: severities.idle,
    failed: severities.bad,
  } as const;
  return {
    bold,
    dim,
    severity: (severity) => severities[severity],
    verdict: (verdict) => verdicts[verdict],
    step: (state) => steps[state],
    bar: { full: pick('━', '='), empty: pick('╌', '.'), link: pick('─', '-') },
    sparks: pick('▁▂▃▄▅▆▇█', '_.-=+*#@'),
    arrow: pick('→', '->'),
    dot: pick(' · ', ' | '),
    dash: pick('–', '-'),
  };
}
