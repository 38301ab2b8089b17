/**
 * Plays the request mix against one variant: customers with addresses and browsers of their own, one editor; every
 * answer is read, and compared with what it may say at that moment. Knows HTTP, not how a variant is configured.
 * @module
 */

import { Agent, request } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import { brotliDecompress, gunzip } from 'node:zlib';
import { pageOf, productPath, tagOf } from './shop.mjs';

const UNPACK = { br: promisify(brotliDecompress), gzip: promisify(gunzip) };
const HOST = 'shop.lab.test';
/** Asked for before the mix begins, so that code is compiled: under another name, so that nothing of it is stored. */
const WARM_HOST = 'warm.lab.test';
const WARM_PATHS = 12;
const FIRST_STRANGER = 20_000;
const MAX_EXAMPLES = 5;
const PATIENCE_MS = 60_000;

export class Visit {
  #variant;
  #products;
  /** By product: no answer to a request from now on may be older. */
  #atLeast = new Map();
  #agents = new Map();
  /** By customer and page: what his browser keeps. */
  #kept = new Map();
  outcomes = { hit: 0, stale: 0, revalidated: 0, collapsed: 0, miss: 0, none: 0 };
  latenciesMs = [];
  reads = 0;
  updates = 0;
  unchanged = 0;
  wrong = 0;
  faults = 0;
  examples = [];

  constructor(variant, products) {
    this.#variant = variant;
    this.#products = products;
  }

  /** Some requests that are not counted, by people who are nobody of the mix: first misses, then hits. */
  async warmUp(people, requestsEach) {
    const live = async (who) => {
      for (let n = 0; n < requestsEach; n += 1) {
        const path = `${productPath((who + n) % Math.min(WARM_PATHS, this.#products))}?lang=de`;
        const headers = { host: WARM_HOST, 'accept-encoding': 'br' };
        const answer = await this.#ask(this.#variant.gateway.port, who, { path, headers });
        await unpacked(answer.headers['content-encoding'], answer.body);
      }
    };
    await Promise.all(Array.from({ length: people }, (_, i) => live(FIRST_STRANGER + i)));
    this.#hangUp();
  }

  /**
   * Resolves when the whole mix was asked. Customers and the editor do one thing at a time each. `startMs`: when the mix
   * begins, as `performance.now` has it.
   */
  async play(mix, startMs) {
    const people = new Map();
    for (const each of mix) {
      const who = each.kind === 'update' ? 'editor' : each.user;
      if (!people.has(who)) people.set(who, []);
      people.get(who).push(each);
    }
    await Promise.all([...people].map(([who, requests]) => this.#live(who, startMs, requests)));
    this.#hangUp();
  }

  async #live(who, startMs, requests) {
    for (const each of requests) {
      const waitMs = startMs + each.atMs - performance.now();
      if (waitMs > 0) await pause(waitMs);
      try {
        if (each.kind === 'update') await this.#update(each.id);
        else await this.#read(who, each);
      } catch (error) {
        this.#fault(`${each.target ?? productPath(each.id)}: ${error.message}`);
      }
    }
  }

  async #read(user, { target, again }) {
    const page = pageOf(target, this.#products);
    const browser = `${user} ${page.ids} ${page.locale}`;
    const known = again ? this.#kept.get(browser) : undefined;
    const least = page.ids.map((id) => this.#atLeast.get(id) ?? 1);
    const fields = { 'accept-encoding': 'br, gzip', 'user-agent': 'lab' };
    if (known !== undefined) fields['if-none-match'] = known.etag;

    this.reads += 1;
    const startMs = performance.now();
    const { status, headers, body } = await this.#ask(this.#variant.gateway.port, user, {
      path: target,
      headers: fields,
    });
    this.latenciesMs.push(performance.now() - startMs);
    this.outcomes[outcomeOf(headers['cache-status'])] += 1;

    let shown = known?.shown;
    if (status === 200) shown = JSON.parse(await unpacked(headers['content-encoding'], body));
    else if (status === 304 && known !== undefined) this.unchanged += 1;
    else return this.#fault(`${target}: status ${status} ${body.toString().slice(0, 200)}`);
    if (headers.etag !== undefined) this.#kept.set(browser, { etag: headers.etag, shown });

    const right = shown.locale === page.locale && shown.items.every(({ id }, i) => id === page.ids[i]);
    if (!right || shown.items.length !== page.ids.length)
      return this.#fault(`${target}: another page's answer`);
    if (shown.items.some(({ version }, i) => version < least[i])) this.wrong += 1;
  }

  /** Done when its last step is: until then both answers are right, the one before and the one after. */
  async #update(id) {
    const { updates, upstreamPort, gateway, authorization, purges } = this.#variant;
    this.updates += 1;
    const { status, body } = await this.#ask(updates === 'gateway' ? gateway.port : upstreamPort, 'editor', {
      method: 'PUT',
      path: productPath(id),
      headers: { authorization, 'content-type': 'application/json', 'content-length': 2 },
      body: '{}',
    });
    if (status !== 200) return this.#fault(`update of ${id}: status ${status} ${body}`);
    const { version } = JSON.parse(body);
    if (purges) await this.#purge(tagOf(id));
    this.#atLeast.set(id, version);
  }

  /** Until the gateway says that it has applied it: a busy one may not do so within the second that a purge waits. */
  async #purge(tag) {
    const untilMs = performance.now() + PATIENCE_MS;
    for (;;) {
      const answer = await fetch(`${this.#variant.gateway.url}/api/v1/cache/purge`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ tag, service: 'catalog' }),
        signal: AbortSignal.timeout(PATIENCE_MS),
      });
      const { reached } = await answer.json();
      if (answer.ok && reached?.gateways === 1 && reached.applied === 1) return;
      if (!answer.ok || performance.now() > untilMs)
        throw new Error(`purge of ${tag}: ${answer.status}, ${JSON.stringify(reached)}`);
    }
  }

  #ask(port, who, { body, headers, ...options }) {
    return new Promise((resolve, reject) => {
      const sent = request(
        { port, host: '127.0.0.1', agent: this.#agent(who), headers: { host: HOST, ...headers }, ...options },
        (response) => {
          const chunks = [];
          response.on('data', (chunk) => chunks.push(chunk));
          response.on('error', reject);
          response.on('end', () =>
            resolve({ status: response.statusCode, headers: response.headers, body: Buffer.concat(chunks) }),
          );
        },
      );
      sent.setTimeout(PATIENCE_MS, () => sent.destroy(new Error(`no answer within ${PATIENCE_MS} ms`)));
      sent.on('error', reject);
      sent.end(body);
    });
  }

  /** Each customer comes from a loopback address of his own: the route's limits are for each address. */
  #agent(who) {
    let agent = this.#agents.get(who);
    if (agent === undefined) {
      const localAddress = who === 'editor' ? '127.0.0.1' : `127.0.${1 + (who >> 7)}.${1 + (who & 127)}`;
      agent = new Agent({ keepAlive: true, maxSockets: 1, localAddress });
      this.#agents.set(who, agent);
    }
    return agent;
  }

  #hangUp() {
    for (const agent of this.#agents.values()) agent.destroy();
    this.#agents.clear();
  }

  #fault(example) {
    this.faults += 1;
    if (this.examples.length < MAX_EXAMPLES) this.examples.push(example);
  }
}

/** What the cache says that it did (Cache-Status, RFC 9211). */
export function outcomeOf(status) {
  if (status === undefined) return 'none';
  if (/; hit(;|$)/.test(status)) return /; ttl=-/.test(status) ? 'stale' : 'hit';
  if (/; collapsed/.test(status)) return 'collapsed';
  return /; fwd=stale; fwd-status=304/.test(status) ? 'revalidated' : 'miss';
}

async function unpacked(coding, body) {
  return (coding === undefined ? body : await UNPACK[coding](body)).toString();
}
