/**
 * One run of load: users send requests over keep-alive connections, each answer is checked byte by byte, and
 * everything that is not exactly right is counted. Knows neither processes nor what is being measured.
 * @module
 */

import { sharedNowMs } from './clock.mjs';
import { Connection } from './connection.mjs';
import { quantile } from './numbers.mjs';
import { bodyOf, PATHS, pathOf, requestOf, USERS } from './orders.mjs';

const VERSION = /\r\nx-version: *(\w+)/i;
const MAX_EXAMPLES = 5;
/** While no target accepts a connection, this long until the next try. */
const RECONNECT_MS = 5;
/** A target that said Connection: close is going away: for so long, others are asked first. */
const AVOID_MS = 3_000;
const GIVE_UP_MS = 10_000;
const BEAT_MS = 2;
/** Paced requests that wait for a free connection at most; more than that are reported as not sent. */
const MAX_WAITING = 10_000;

/**
 * Options: `targets` [{host, port}], `connections` in all, spread over the targets; `bytes` of a body;
 * `requestsPerSecond` (null: each connection sends its next request at once); `answersPerConnection` (null: no
 * limit) after which the client closes a connection; `sticky`: a user must never change version in this run;
 * `expectBad` (a version, if any): its answers of 500 are no errors but noted by their time, with its last answer.
 */
export class LoadRun {
  #options;
  #requests;
  #bodies;
  #errors = {};
  #examples = [];
  #latenciesMs = [];
  #versionOf = new Map();
  #byVersion = {};
  #byTarget;
  #avoidUntilMs;
  #answered = 0;
  #sent = 0;
  #moved = 0;
  #opened = 0;
  #skipped = 0;
  #nextUser = 0;
  #inFlight = 0;
  #stopping = false;
  #waiting = [];
  #owed = 0;
  #lastBeatMs = 0;
  #workers = [];
  #bad = { count: 0, firstMs: null, lastMs: null, lastAnswerMs: null };

  constructor(options) {
    this.#options = options;
    this.#byTarget = options.targets.map(() => 0);
    this.#avoidUntilMs = options.targets.map(() => 0);
    const host = 'orders.bench.test';
    this.#requests = Array.from({ length: USERS }, (_, user) => requestOf(user, host));
    this.#bodies = Array.from({ length: PATHS }, (_, index) => bodyOf(index, options.bytes));
  }

  start() {
    const { connections, requestsPerSecond } = this.#options;
    if (requestsPerSecond !== null) {
      this.#lastBeatMs = performance.now();
      this.beat = setInterval(() => this.#pace(), BEAT_MS);
    }
    for (let i = 0; i < connections; i += 1) {
      this.#workers.push(this.#work(i % this.#options.targets.length));
    }
  }

  /** Counts from here on only; what went wrong before stays counted. */
  beginWindow() {
    this.#latenciesMs = [];
    this.#answered = 0;
    this.#byVersion = {};
    this.#byTarget = this.#byTarget.map(() => 0);
  }

  /** Answers in the window so far. */
  get answered() {
    return this.#answered;
  }

  /** What happened in the window so far. */
  window() {
    const latencies = this.#latenciesMs;
    return {
      answered: this.#answered,
      p50Ms: quantile(latencies, 0.5),
      p99Ms: quantile(latencies, 0.99),
      maxMs: quantile(latencies, 1),
      byVersion: { ...this.#byVersion },
      byTarget: [...this.#byTarget],
    };
  }

  /** Sends no more, waits for the answers on their way, and closes. Resolves with the totals of the run. */
  async stop() {
    this.#stopping = true;
    clearInterval(this.beat);
    for (const resume of this.#waiting.splice(0)) resume();
    await Promise.all(this.#workers);
    return this.totals();
  }

  totals() {
    return {
      sent: this.#sent,
      inFlight: this.#inFlight,
      errors: { ...this.#errors },
      bad: { ...this.#bad },
      errorCount: Object.values(this.#errors).reduce((sum, count) => sum + count, 0),
      examples: [...this.#examples],
      connectionsOpened: this.#opened,
      movedToOtherTarget: this.#moved,
      notSent: this.#skipped,
    };
  }

  async #work(home) {
    const { requestsPerSecond, answersPerConnection } = this.#options;
    let connection = null;
    while (!this.#stopping) {
      if (requestsPerSecond !== null) await this.#turn();
      if (this.#stopping) break;
      if (connection === null || connection.ended) {
        connection = await this.#connect(home);
        if (connection === null) break;
      }
      await this.#ask(connection);
      if (connection.toldToClose) this.#avoidUntilMs[connection.target] = performance.now() + AVOID_MS;
      if (answersPerConnection !== null && connection.answers >= answersPerConnection) connection.close();
    }
    connection?.close();
  }

  /** A connection to the worker's own target, else to another one that accepts; one to avoid comes last. */
  async #connect(home) {
    const { targets } = this.#options;
    const untilMs = performance.now() + GIVE_UP_MS;
    while (!this.#stopping && performance.now() < untilMs) {
      const nowMs = performance.now();
      const order = targets.map((_, i) => (home + i) % targets.length);
      const avoided = order.filter((index) => this.#avoidUntilMs[index] > nowMs);
      for (const index of [...order.filter((index) => !avoided.includes(index)), ...avoided]) {
        try {
          const connection = await Connection.open(targets[index]);
          connection.target = index;
          this.#opened += 1;
          if (index !== home) this.#moved += 1;
          return connection;
        } catch {
          // Refused before a byte was sent: nothing is lost, the next target gets the request.
        }
      }
      await new Promise((resolve) => setTimeout(resolve, RECONNECT_MS));
    }
    if (!this.#stopping) this.#fail('no target accepts', 'no target accepts connections');
    return null;
  }

  #ask(connection) {
    const user = this.#nextUser;
    this.#nextUser = (user + 1) % USERS;
    this.#sent += 1;
    this.#inFlight += 1;
    const startMs = performance.now();
    return new Promise((resolve) => {
      connection.send(
        this.#requests[user],
        (status, head, body) => {
          this.#latenciesMs.push(performance.now() - startMs);
          this.#answered += 1;
          this.#byTarget[connection.target] += 1;
          this.#inFlight -= 1;
          this.#check(user, status, head, body);
          resolve();
        },
        (reason) => {
          this.#inFlight -= 1;
          this.#fail('dropped', `${reason} (target ${connection.target}, answer ${connection.answers + 1})`);
          resolve();
        },
      );
    });
  }

  #check(user, status, head, body) {
    const version = VERSION.exec(head)?.[1] ?? 'none';
    if (version === this.#options.expectBad) this.#noteBad(status);
    if (status === 500 && version === this.#options.expectBad) return;
    if (status !== 200) {
      this.#fail(`status ${status}`, `${head}${body.subarray(0, 300)}`);
      return;
    }
    if (!body.equals(this.#bodies[user % PATHS])) {
      this.#fail('wrong body', `${pathOf(user % PATHS)}: ${body.length} bytes, ${body.subarray(0, 60)}`);
      return;
    }
    this.#byVersion[version] = (this.#byVersion[version] ?? 0) + 1;
    if (!this.#options.sticky) return;
    const before = this.#versionOf.get(user);
    if (before === undefined) this.#versionOf.set(user, version);
    else if (before !== version)
      this.#fail('user changed version', `user ${user}: ${before}, then ${version}`);
  }

  #noteBad(status) {
    const nowMs = sharedNowMs();
    this.#bad.lastAnswerMs = nowMs;
    if (status !== 500) return;
    this.#bad.count += 1;
    this.#bad.firstMs ??= nowMs;
    this.#bad.lastMs = nowMs;
  }

  #fail(kind, example) {
    this.#errors[kind] = (this.#errors[kind] ?? 0) + 1;
    if (this.#examples.length < MAX_EXAMPLES) this.#examples.push(`${kind}: ${example}`);
  }

  /** Resolves when the pace allows the next request. */
  #turn() {
    if (this.#owed >= 1) {
      this.#owed -= 1;
      return undefined;
    }
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #pace() {
    const nowMs = performance.now();
    this.#owed += ((nowMs - this.#lastBeatMs) / 1000) * this.#options.requestsPerSecond;
    this.#lastBeatMs = nowMs;
    while (this.#owed >= 1 && this.#waiting.length > 0) {
      this.#owed -= 1;
      this.#waiting.shift()();
    }
    if (this.#owed > MAX_WAITING) {
      this.#skipped += Math.floor(this.#owed - MAX_WAITING);
      this.#owed = MAX_WAITING;
    }
  }
}
