/**
 * Asks an identity provider over HTTP, within a time and a size, following no redirect. Owns its connections;
 * knows nothing of keys or tokens.
 * @module
 */

import { Agent } from 'undici';

export interface Question {
  readonly url: string;
  readonly method: 'GET' | 'POST';
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
  readonly timeoutMs: number;
  /** Of the answer. */
  readonly maxBytes: number;
}

/** The JSON of a 200 answer; rejects on anything else, with a message for the log. */
export type AskJson = (question: Question) => Promise<unknown>;

const MAX_CONNECTIONS = 32;

export class ProviderClient {
  readonly #agent = new Agent({ connections: MAX_CONNECTIONS, keepAliveTimeout: 4_000, pipelining: 1 });

  readonly ask: AskJson = async ({ url, method, headers, body, timeoutMs, maxBytes }) => {
    const { origin, pathname, search } = new URL(url);
    const signal = AbortSignal.timeout(timeoutMs);
    const answer = await this.#agent.request({
      origin,
      path: `${pathname}${search}`,
      method,
      headers: { accept: 'application/json', 'user-agent': 'sluice', ...headers },
      body,
      signal,
    });
    const chunks: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of answer.body) {
      // Leaving the loop destroys the body, and its connection with it.
      bytes += (chunk as Buffer).length; // Undici yields buffers where no encoding is set.
      if (bytes > maxBytes) throw new Error(`the answer is larger than ${maxBytes} bytes`);
      chunks.push(chunk as Buffer);
    }
    if (answer.statusCode !== 200) throw new Error(`the answer has status ${answer.statusCode}`);
    try {
      return JSON.parse(Buffer.concat(chunks).toString('utf8'));
    } catch {
      throw new Error('the answer is not JSON');
    }
  };

  close(): Promise<void> {
    return this.#agent.destroy();
  }
}
