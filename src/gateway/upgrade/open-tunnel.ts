/**
 * What an upstream's 101 means: the client gets it, and from then on the two talk to each other. Knows the response
 * and the tunnel, no policies.
 * @module
 */

import type { Duplex } from 'node:stream';
import type { Exchange } from '../exchange.ts';
import { replyProblem } from '../problem.ts';
import { countResponse } from '../stages/record.ts';
import { responseFields } from '../stages/relay.ts';
import type { Attempt } from '../upstream/attempt.ts';
import { Tunnel } from './tunnel.ts';

/** `socket`: the upstream's, with what it sent after its 101 still in it. */
export function openTunnel(attempt: Attempt, socket: Duplex): void {
  const { exchange, target } = attempt;
  const { response, route } = exchange;
  const client = response.upgrade;
  if (exchange.recorded || response.destroyed || client === null || route?.tunnels == null) {
    socket.destroy();
    return;
  }
  if (!sendSwitch(exchange, attempt)) {
    socket.destroy();
    replyProblem(exchange, 'UPSTREAM_BAD_RESPONSE', '');
    return;
  }
  const tunnel = new Tunnel(exchange, target, client, socket, route.tunnels);
  exchange.tunnel = tunnel;
  countResponse(exchange);
  tunnel.start(client.take());
}

/** False when the upstream's fields cannot be passed on. */
function sendSwitch(exchange: Exchange, attempt: Attempt): boolean {
  const { response, route } = exchange;
  let fields = responseFields(exchange, attempt);
  if (fields === undefined || exchange.expectedBytes >= 0) return false;
  for (const edit of route?.transform?.responseFields ?? []) fields = edit(exchange, fields);
  try {
    response.writeHead(101, 'Switching Protocols', [
      ...fields,
      'Connection',
      'Upgrade',
      'Upgrade',
      exchange.upgrade,
    ]);
    response.flushHeaders();
    return true;
  } catch {
    return false;
  }
}
