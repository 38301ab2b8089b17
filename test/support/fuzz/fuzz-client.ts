/**
 * Connections of clients that send what they are given and go in one of several ways. Knows bytes only.
 * @module
 */

import { connect, type Socket } from 'node:net';
import type { Seeded } from './seeded.ts';

/** As long as a connection is kept that nobody ends. */
const LONGEST_MS = 120;

/** Sends the pieces one after another; resolves with what came back once the connection is closed. */
export function sendBytes(port: number, pieces: readonly Buffer[], random: Seeded): Promise<string> {
  const leaves = random.mostly(['ends', 'stays', 'breaks', 'deaf'] as const, 0.35);
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true });
    let text = '';
    socket.setTimeout(LONGEST_MS, () => socket.destroy());
    socket.on('error', () => {});
    socket.on('close', () => resolve(text));
    socket.on('end', () => socket.destroy());
    if (leaves !== 'deaf') {
      socket.on('data', (piece) => {
        text += piece.toString('latin1');
      });
    } else setTimeout(() => socket.destroy(), LONGEST_MS);
    socket.on('connect', () => {
      void sendAll(socket, pieces).then(() => {
        if (leaves === 'ends') socket.end();
        if (leaves === 'breaks') socket.resetAndDestroy();
      });
    });
  });
}

async function sendAll(socket: Socket, pieces: readonly Buffer[]): Promise<void> {
  for (const piece of pieces) {
    if (socket.destroyed) return;
    socket.write(piece);
    // Apart, so that the other side reads them apart.
    if (pieces.length > 1) await new Promise((resolve) => setImmediate(resolve));
  }
}
