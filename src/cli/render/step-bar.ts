/**
 * The rail of steps on one line, with the progress of the current hold. Knows no layout around it.
 * @module
 */

import type { RolloutView, StepView } from '../../core/view/rollout-view.ts';
import { isActiveView } from '../run-phase.ts';
import type { Style } from './style.ts';
import { widthOf } from './text.ts';

interface Piece {
  readonly plain: string;
  readonly painted: string;
}

const PROGRESS_WIDTHS = [10, 6, 4] as const;

/** Shows all steps when they fit, else those around the current one. */
export function renderStepBar(view: RolloutView, style: Style, columns: number): string {
  for (const [size, progressWidth] of PROGRESS_WIDTHS.entries()) {
    const line = railOf(view, 0, view.steps.length, 3 - size, progressWidth, style);
    if (widthOf(line.plain) <= columns) return line.painted;
  }
  for (let reach = view.steps.length; reach > 0; reach -= 1) {
    const from = Math.max(0, view.step - reach);
    const to = Math.min(view.steps.length, view.step + reach + 1);
    const line = railOf(view, from, to, 1, 4, style);
    if (widthOf(line.plain) <= columns) return line.painted;
  }
  return railOf(view, view.step, view.step + 1, 1, 4, style).painted;
}

/** Steps [from, to), with dots where steps are left out. */
function railOf(
  view: RolloutView,
  from: number,
  to: number,
  linkWidth: number,
  progressWidth: number,
  style: Style,
): Piece {
  const active = isActiveView(view);
  const pieces: Piece[] = [];
  if (from > 0) pieces.push({ plain: '.. ', painted: style.dim('.. ') });
  for (let index = from; index < to; index += 1) {
    const step = view.steps[index];
    if (!step) continue;
    pieces.push(stepPiece(step, style));
    const last = index === view.steps.length - 1;
    if (active && index === view.step && step.holdMs > 0) {
      pieces.push(progressPiece(view.progress.evidenceMs / step.holdMs, progressWidth, style));
    }
    if (!last && index < to - 1) {
      const link = style.bar.link.repeat(linkWidth);
      pieces.push({ plain: link, painted: style.dim(link) });
    }
  }
  if (to < view.steps.length) pieces.push({ plain: ' ..', painted: style.dim(' ..') });
  return {
    plain: pieces.map((piece) => piece.plain).join(''),
    painted: pieces.map((piece) => piece.painted).join(''),
  };
}

function stepPiece(step: StepView, style: Style): Piece {
  const { glyph, paint } = style.step(step.state);
  const share = step.mirrorBp === undefined ? `${step.weightBp / 100}` : `m${step.mirrorBp / 100}`;
  const plain = `${share} ${glyph}`;
  return { plain, painted: paint(plain) };
}

function progressPiece(share: number, width: number, style: Style): Piece {
  const filled = Math.round(Math.min(1, Math.max(0, share)) * width);
  const full = style.bar.full.repeat(filled);
  const empty = style.bar.empty.repeat(width - filled);
  return { plain: full + empty, painted: style.step('current').paint(full) + style.dim(empty) };
}
