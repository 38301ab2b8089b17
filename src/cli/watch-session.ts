/**
 * One live view on a terminal: stream in, frames out, keys to actions. Owns the screen and the keyboard while
 * it runs; knows no protocol.
 * @module
 */

import { SluiceError } from '../core/domain/errors.ts';
import type { RolloutView } from '../core/view/rollout-view.ts';
import { describeChange } from './change.ts';
import type { ActionBody, ActionVerb, ControlClient } from './client.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { followRollout } from './follow-rollout.ts';
import { LiveScreen } from './live-screen.ts';
import { createStyle } from './render/style.ts';
import { cut, printable } from './render/text.ts';
import { renderView } from './render/view.ts';
import { endOf, isActiveView } from './run-phase.ts';
import type { VerbContext } from './verb-context.ts';

const TICK_MS = 1000;
/** The operator sends a view every second; silence this long is shown. */
const STALE_MS = 5000;
/** After the end, gateways get this long to say that they serve it: asked is not served. */
const LAST_WORD_MS = 3000;

export class WatchSession {
  readonly #context: VerbContext;
  readonly #client: ControlClient;
  readonly #rollout: string;
  readonly #leave = new AbortController();
  #screen: LiveScreen | null = null;
  #view: RolloutView | null = null;
  #viewAtMs = 0;
  #lost = false;
  /** Runs from the first sight of the end. */
  #lastWord: NodeJS.Timeout | undefined;
  /** Result of the last key. */
  #note = '';
  #busy = false;
  #code: ExitCode = EXIT.success;

  constructor(context: VerbContext, client: ControlClient, rollout: string) {
    this.#context = context;
    this.#client = client;
    this.#rollout = rollout;
  }

  /** Ends with the run, with `q` (success) or with Ctrl-C (interrupted). */
  async run(): Promise<ExitCode> {
    const { io } = this.#context;
    const signal = AbortSignal.any([io.signal, this.#leave.signal]);
    const ticker = setInterval(() => this.#draw(), TICK_MS);
    const stopKeys = io.keyboard?.onKey((key) => void this.#key(key));
    try {
      for await (const sight of followRollout(this.#client, this.#rollout, { afterSequence: null, signal })) {
        if (sight.kind === 'view') {
          this.#view = sight.view;
          this.#viewAtMs = io.now();
          this.#lost = false;
          const end = endOf(sight.view);
          if (end !== null) {
            this.#code = end;
            this.#lastWord ??= setTimeout(() => this.#leave.abort(), LAST_WORD_MS);
            if (sight.view.gateways.every((gateway) => gateway.current)) break;
          }
        }
        if (sight.kind === 'lost') this.#lost = true;
        this.#draw();
      }
    } finally {
      clearInterval(ticker);
      clearTimeout(this.#lastWord);
      stopKeys?.();
      const frame = this.#view ? renderView(this.#view, this.#context.render()) : [];
      if (this.#screen) this.#screen.close(frame);
      else if (frame.length > 0) this.#context.data(frame);
    }
    io.signal.throwIfAborted();
    if (this.#code === EXIT.interrupted) this.#context.talk('Interrupted; the rollout goes on.');
    return this.#code;
  }

  #draw(): void {
    if (!this.#view || this.#leave.signal.aborted) return;
    const { io } = this.#context;
    this.#screen ??= new LiveScreen({
      output: io.stdout,
      columns: () => io.columns(),
      rows: () => io.rows(),
      now: () => io.now(),
    });
    this.#screen.show([...renderView(this.#view, this.#context.render()), '', ...this.#footer(this.#view)]);
  }

  #footer(view: RolloutView): readonly string[] {
    const options = this.#context.render();
    const style = createStyle(options);
    const ageMs = this.#context.io.now() - this.#viewAtMs;
    const stale = this.#lost || (isActiveView(view) && ageMs > STALE_MS);
    const state = stale ? `reconnecting, data ${Math.round(ageMs / 1000)}s old` : this.#note;
    const pause = view.phase === 'paused' ? 'space resume' : 'space pause';
    const keys = isActiveView(view) ? `p promote  a abort  ${pause}  ` : '';
    const help = this.#context.io.keyboard ? `${keys}q quit (rollout goes on)` : '';
    return [state, help]
      .filter((text) => text !== '')
      .map((text, index) => {
        const line = cut(`  ${printable(text)}`, options.columns, options.unicode);
        return index === 0 && state !== '' ? style.severity('attention').paint(line) : style.dim(line);
      });
  }

  async #key(key: string): Promise<void> {
    const view = this.#view;
    if (key === 'q' || key === '\u0003') {
      this.#code = key === 'q' ? EXIT.success : EXIT.interrupted;
      this.#leave.abort();
      return;
    }
    if (!view || !isActiveView(view)) return;
    const seen = { expectStep: view.step, expectRun: view.run };
    if (key === 'p') await this.#act('promote', seen);
    // Aborting is right at whatever step it is by now, but only in the run that was watched.
    if (key === 'a') await this.#act('abort', { expectRun: view.run, reason: 'aborted from the live view' });
    if (key === ' ') await this.#act(view.phase === 'paused' ? 'resume' : 'pause', seen);
  }

  /** One at a time: a key that is held down must not promote through several steps. */
  async #act(verb: ActionVerb, body: ActionBody): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    try {
      this.#note = describeChange(verb, await this.#client.act(this.#rollout, verb, body)).changed;
    } catch (error) {
      this.#note = error instanceof SluiceError ? error.message : `failed: ${String(error)}`;
    } finally {
      this.#busy = false;
      this.#draw();
    }
  }
}
