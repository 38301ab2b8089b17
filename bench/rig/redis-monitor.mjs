/**
 * Listens to everything that a Redis executes (MONITOR) and picks out writes of a split and acknowledgements of
 * gateways, with Redis's own microsecond time and the time of arrival here. Writes nothing to it.
 * @module
 */

import { connect } from 'node:net';

const REVISION = /\\"revision\\":(\d+)/;
const CANARY_WEIGHT = /\\"weights\\":\{[^}]*\\"v2\\":(\d+)/;
const GATEWAY = /\\"gateway\\":\\"([^"\\]+)\\"/;

/** `keys` as `serviceKeys` of the Redis adapter gives them. Resolves when Redis has confirmed. */
export async function openMonitor({ port, keys, onWrite, onAcknowledgement }) {
  const socket = connect(port, '127.0.0.1');
  socket.setNoDelay(true);
  let rest = '';
  let confirm;
  const confirmed = new Promise((resolve, reject) => {
    confirm = resolve;
    socket.once('error', reject);
  });
  socket.on('data', (chunk) => {
    const arrivedMs = performance.now();
    const lines = (rest + chunk.toString('utf8')).split('\r\n');
    rest = lines.pop();
    for (const line of lines) {
      if (line === '+OK') confirm();
      else read(line, arrivedMs);
    }
  });

  const read = (line, arrivedMs) => {
    // What scripts call is listed too, as coming from "lua": the script's own line is the one to count.
    if (line.includes(' lua] ')) return;
    const revision = Number(REVISION.exec(line)?.[1]);
    if (Number.isNaN(revision)) return;
    const redisMs = Number(line.slice(1, line.indexOf(' '))) * 1000;
    if (line.includes(`"${keys.acknowledgements}"`)) {
      onAcknowledgement({ gateway: GATEWAY.exec(line)?.[1], revision, redisMs, arrivedMs });
    } else if (line.includes(`"${keys.split}"`)) {
      const canaryBp = Number(CANARY_WEIGHT.exec(line)?.[1] ?? 0);
      onWrite({ revision, canaryBp, redisMs, arrivedMs });
    }
  };

  socket.write('MONITOR\r\n');
  await confirmed;
  return { close: () => socket.destroy() };
}
