/**
 * Watches a client that has not taken the end of its response yet: it may be slow, it may not stand still.
 * @module
 */

import { Alarm } from './alarm.ts';
import type { Exchange } from './exchange.ts';

export function watchReader(exchange: Exchange): void {
  const { response, runtime, route } = exchange;
  const patienceMs = route?.timeout.idleMs ?? 0;
  // A response that is changed on its way may still grow while it is read.
  const taken = (): number => exchange.bytesOut - response.writableLength;
  let before = taken();
  const alarm = new Alarm((nowMs) => {
    if (taken() > before) {
      before = taken();
      runtime.wheel.arm(alarm, nowMs + patienceMs);
    } else {
      response.destroy();
    }
  });
  exchange.alarm = alarm;
  runtime.wheel.arm(alarm, runtime.monotonicMs() + patienceMs);
}
