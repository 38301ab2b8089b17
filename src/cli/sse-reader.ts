/**
 * Reads server-sent events from a response body (WHATWG HTML §9.2.6). Knows no connection and no rollout.
 * @module
 */

export interface ServerEvent {
  readonly event: string;
  readonly data: string;
  /** The last id seen on the stream, also of earlier events; null before the first. */
  readonly id: string | null;
}

/** A message larger than this ends the stream with an error, characters. */
const MAX_MESSAGE = 16 * 1024 * 1024;

/**
 * Yields each event; `onBytes` is called for everything received, pings included. Ends with the body or with
 * `signal`, rejects when the body breaks off or a message is too large.
 */
export async function* readServerEvents(
  body: ReadableStream<Uint8Array>,
  onBytes: () => void,
  signal: AbortSignal,
): AsyncGenerator<ServerEvent> {
  const decoder = new TextDecoder();
  const parser = new EventParser();
  const reader = body.getReader();
  // fetch holds its own controller weakly: once that is collected, its signal no longer ends the body.
  const cancel = () => void reader.cancel().catch(() => undefined);
  signal.addEventListener('abort', cancel, { once: true });
  try {
    while (!signal.aborted) {
      const { done, value } = await reader.read();
      if (done) return;
      onBytes();
      yield* parser.push(decoder.decode(value, { stream: true }));
    }
  } finally {
    signal.removeEventListener('abort', cancel);
    cancel();
  }
}

class EventParser {
  #pending = '';
  #event = '';
  #data: string[] = [];
  #id: string | null = null;

  push(text: string): readonly ServerEvent[] {
    const events: ServerEvent[] = [];
    this.#pending += text;
    if (this.#pending.length > MAX_MESSAGE) throw new Error('a message of the live stream is too large');
    // A lone CR at the end may be half of a CRLF: it waits for more.
    const lines = this.#pending.split(/\r\n|\n|\r(?!$)/);
    this.#pending = lines.pop() ?? '';
    for (const line of lines) {
      const event = this.#line(line);
      if (event) events.push(event);
    }
    return events;
  }

  #line(line: string): ServerEvent | undefined {
    if (line === '') {
      const event = { event: this.#event || 'message', data: this.#data.join('\n'), id: this.#id };
      const empty = this.#data.length === 0;
      this.#event = '';
      this.#data = [];
      return empty ? undefined : event;
    }
    const colon = line.indexOf(':');
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (field === 'event') this.#event = value;
    else if (field === 'data') this.#data.push(value);
    else if (field === 'id' && !value.includes('\0')) this.#id = value;
    return undefined;
  }
}
