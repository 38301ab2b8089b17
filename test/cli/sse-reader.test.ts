import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readServerEvents, type ServerEvent } from '../../src/cli/sse-reader.ts';

async function read(chunks: readonly Uint8Array[]): Promise<readonly ServerEvent[]> {
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(chunk);
      controller.close();
    },
  });
  const events: ServerEvent[] = [];
  for await (const event of readServerEvents(body, () => undefined, new AbortController().signal))
    events.push(event);
  return events;
}

const TEXT =
  'retry: 2000\nid: a:1\nevent: snapshot\ndata: {"n":"ü🙂"}\n\n: ping\n\nevent: view\r\ndata: 1\r\ndata:2\r\n\r\nid\ndata\n\nevent: lost\n\ndata: cut off';
const EVENTS = [
  { event: 'snapshot', data: '{"n":"ü🙂"}', id: 'a:1' },
  { event: 'view', data: '1\n2', id: 'a:1' },
  { event: 'message', data: '', id: '' },
];

describe('readServerEvents', () => {
  it('reads ids, names, several data lines and comments; drops what is incomplete', async () => {
    expect(await read([new TextEncoder().encode(TEXT)])).toEqual(EVENTS);
  });

  it('property: gives the same events however the bytes are cut', async () => {
    const bytes = new TextEncoder().encode(TEXT);
    const cuts = fc.array(fc.integer({ min: 0, max: bytes.length }), { maxLength: 20 });
    await fc.assert(
      fc.asyncProperty(cuts, async (at) => {
        const edges = [0, ...[...at].sort((a, b) => a - b), bytes.length];
        const chunks = edges.slice(1).map((end, index) => bytes.slice(edges[index], end));
        expect(await read(chunks)).toEqual(EVENTS);
      }),
    );
  });

  it('refuses a message without end instead of keeping it all', async () => {
    const chunk = new Uint8Array(1024 * 1024).fill(120);
    await expect(read(Array.from({ length: 17 }, () => chunk))).rejects.toThrow('too large');
  });
});
