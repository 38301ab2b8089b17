/**
 * One coarse timer for all requests: a wheel of 10 ms slots, so that arming and disarming a deadline is a list
 * operation. Owns its interval and the coarse clock; knows not what a deadline is for.
 * @module
 */

const TICK_MS = 10;
/** One turn is 5.12 s; longer deadlines stay in their slot for several turns. */
const SLOTS = 512;
/** The interval stops after this many ticks without a deadline. */
const IDLE_TICKS = 100;

/** Embed one per thing that can time out. `expire` is called once per arming, never after `disarm`. */
export abstract class Deadline {
  /** Links of the slot's list; only the wheel touches these four. */
  previous: Deadline | null = null;
  next: Deadline | null = null;
  slot = -1;
  tick = 0;

  abstract expire(nowMs: number): void;
}

export class DeadlineWheel {
  readonly #slots: (Deadline | null)[] = new Array(SLOTS).fill(null);
  readonly #monotonicMs: () => number;
  #interval: NodeJS.Timeout | null = null;
  #tick: number;
  #armed = 0;
  #idleTicks = 0;
  #nowMs: number;

  constructor(monotonicMs: () => number) {
    this.#monotonicMs = monotonicMs;
    this.#nowMs = monotonicMs();
    this.#tick = Math.floor(this.#nowMs / TICK_MS);
  }

  /** Monotonic milliseconds, at most about a tick old. For idle times. */
  get coarseNowMs(): number {
    return this.#interval === null ? this.#monotonicMs() : this.#nowMs;
  }

  /** Arms (or re-arms) for `atMs` of the monotonic clock; fires at most about a tick late, never early. */
  arm(deadline: Deadline, atMs: number): void {
    if (deadline.slot >= 0) this.disarm(deadline);
    if (this.#interval === null) this.#start();
    const tick = Math.max(Math.ceil(atMs / TICK_MS), this.#tick + 1);
    const slot = tick % SLOTS;
    const head = this.#slots[slot] ?? null;
    deadline.tick = tick;
    deadline.slot = slot;
    deadline.previous = null;
    deadline.next = head;
    if (head !== null) head.previous = deadline;
    this.#slots[slot] = deadline;
    this.#armed += 1;
  }

  disarm(deadline: Deadline): void {
    if (deadline.slot < 0) return;
    if (deadline.previous === null) this.#slots[deadline.slot] = deadline.next;
    else deadline.previous.next = deadline.next;
    if (deadline.next !== null) deadline.next.previous = deadline.previous;
    deadline.previous = null;
    deadline.next = null;
    deadline.slot = -1;
    this.#armed -= 1;
  }

  /** Stops the interval; armed deadlines never fire. */
  close(): void {
    if (this.#interval !== null) clearInterval(this.#interval);
    this.#interval = null;
  }

  #start(): void {
    this.#nowMs = this.#monotonicMs();
    this.#tick = Math.floor(this.#nowMs / TICK_MS);
    this.#idleTicks = 0;
    this.#interval = setInterval(() => this.#advance(), TICK_MS);
    this.#interval.unref();
  }

  #advance(): void {
    this.#nowMs = this.#monotonicMs();
    const until = Math.floor(this.#nowMs / TICK_MS);
    // After a long stall every slot is visited once, not once per missed turn.
    const from = Math.max(this.#tick + 1, until - SLOTS + 1);
    this.#tick = until;
    for (let tick = from; tick <= until; tick += 1) this.#visit(tick % SLOTS, until);
    this.#idleTicks = this.#armed === 0 ? this.#idleTicks + 1 : 0;
    if (this.#idleTicks > IDLE_TICKS) this.close();
  }

  #visit(slot: number, until: number): void {
    const due: Deadline[] = [];
    for (let node = this.#slots[slot] ?? null; node !== null; node = node.next) {
      if (node.tick <= until) due.push(node);
    }
    for (const deadline of due) {
      // An earlier one of the same slot may have disarmed or re-armed it.
      if (deadline.slot !== slot || deadline.tick > until) continue;
      this.disarm(deadline);
      deadline.expire(this.#nowMs);
    }
  }
}
