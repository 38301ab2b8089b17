/**
 * Asks webhook gates: one POST with what the step is, whose status is the answer.
 * Repeating the question and acting on the answer are the operator's.
 * @module
 */

import type { GateCaller } from '../../ports/gate-caller.ts';
import { postOnce } from './post-once.ts';

/** 2xx is go, 403 is stop, everything else (also no answer) is wait. */
export const webhookGates: GateCaller = {
  async ask(gate, subject, signal) {
    const post = {
      url: gate.url,
      headers: { 'content-type': 'application/json; charset=utf-8', 'user-agent': 'sluice' },
      body: JSON.stringify(subject),
      timeoutMs: gate.timeoutMs,
    };
    const result = await postOnce(post, signal);
    if (result.kind === 'failed') return { answer: 'wait', detail: result.detail };
    const detail = result.text === '' ? `HTTP ${result.status}` : `HTTP ${result.status}: ${result.text}`;
    if (result.status >= 200 && result.status < 300) return { answer: 'go', detail };
    return { answer: result.status === 403 ? 'stop' : 'wait', detail };
  },
};
