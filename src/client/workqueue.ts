/**
 * A queue of keys with the promises of client-go's workqueue. Called by `controller.ts` and the agent's pod worker.
 *
 *            add                    get                      done
 *   (idle) -------> queued+dirty ---------> processing ---------------> (idle)
 *                                             | add: dirty, not queued
 *                                             +---- done ---> queued again
 *
 * - a key that waits is there once, however often it was added;
 * - a key is never handed to two workers at a time: added while processed, it is queued again when `done`;
 * - delayed adds share one timer; the earliest time asked for a key wins.
 */
import type { Clock } from '../host/clock.js';
import { type BackoffPolicy, backoffMs } from './backoff.js';

export interface WorkQueue {
  add(key: string): void;
  /** Adds after `ms`; at once when 0 or less. */
  addAfter(key: string, ms: number): void;
  /** Adds after the backoff of this key, which grows until `forget`. */
  addRateLimited(key: string): void;
  forget(key: string): void;
  /** Failures in a row that `addRateLimited` counted. */
  failures(key: string): number;
  /** The next key, waiting for one if need be; undefined after `shutDown`. Every key must be given back by `done`. */
  get(): Promise<string | undefined>;
  done(key: string): void;
  /** Drops what waits, refuses what comes, wakes all who wait in `get`. Keys being processed go on until `done`. */
  shutDown(): void;
  /** Keys ready to be handed out. */
  readonly length: number;
  /** Keys waiting for their time. */
  readonly delayed: number;
}

export interface WorkQueueOptions {
  clock: Clock;
  /** 5 ms doubling to 1000 s by default, as client-go. */
  backoff?: BackoffPolicy;
}

export const defaultQueueBackoff: BackoffPolicy = { minMs: 5, maxMs: 1_000_000 };

export function createWorkQueue({ clock, backoff = defaultQueueBackoff }: WorkQueueOptions): WorkQueue {
  /** In order of handing out. Every element is in `dirty` and not in `processing`. */
  const queue = new Set<string>();
  /** Needs processing: queued, or added again while processed. */
  const dirty = new Set<string>();
  const processing = new Set<string>();
  /** Workers waiting in `get`, oldest first; empty while `queue` is not. */
  const waiters: ((key: string | undefined) => void)[] = [];
  const failures = new Map<string, number>();
  const delayed = createDelayed(clock, (key) => add(key));
  let closed = false;

  function take(key: string): string {
    queue.delete(key);
    dirty.delete(key);
    processing.add(key);
    return key;
  }

  function enqueue(key: string): void {
    queue.add(key);
    const waiter = waiters.shift();
    if (waiter) waiter(take(key));
  }

  function add(key: string): void {
    if (closed || dirty.has(key)) return;
    dirty.add(key);
    if (!processing.has(key)) enqueue(key);
  }

  function addAfter(key: string, ms: number): void {
    if (closed) return;
    if (ms <= 0) add(key);
    else delayed.add(key, ms);
  }

  return {
    add,
    addAfter,
    addRateLimited(key) {
      const count = (failures.get(key) ?? 0) + 1;
      failures.set(key, count);
      addAfter(key, backoffMs(count, backoff));
    },
    forget: (key) => void failures.delete(key),
    failures: (key) => failures.get(key) ?? 0,
    get() {
      if (closed) return Promise.resolve(undefined);
      const [first] = queue;
      if (first !== undefined) return Promise.resolve(take(first));
      return new Promise((resolve) => waiters.push(resolve));
    },
    done(key) {
      processing.delete(key);
      if (!closed && dirty.has(key)) enqueue(key);
    },
    shutDown() {
      closed = true;
      delayed.clear();
      queue.clear();
      dirty.clear();
      failures.clear();
      for (const waiter of waiters.splice(0)) waiter(undefined);
    },
    get length() {
      return queue.size;
    },
    get delayed() {
      return delayed.size();
    },
  };
}

interface Delayed {
  add(key: string, ms: number): void;
  clear(): void;
  size(): number;
}

interface Due {
  key: string;
  atMs: number;
}

/** Keys by the time they are due, on one timer set for the earliest. A replaced entry stays in the heap and is skipped. */
function createDelayed(clock: Clock, run: (key: string) => void): Delayed {
  const dueAt = new Map<string, number>();
  const heap: Due[] = [];
  let cancel: (() => void) | undefined;
  let armedFor = Number.POSITIVE_INFINITY;

  function arm(): void {
    const first = heap[0];
    if (first && first.atMs === armedFor) return;
    cancel?.();
    cancel = undefined;
    armedFor = first ? first.atMs : Number.POSITIVE_INFINITY;
    if (first) cancel = clock.after(first.atMs - clock.monotonicMs(), fire);
  }

  function fire(): void {
    cancel = undefined;
    armedFor = Number.POSITIVE_INFINITY;
    const now = clock.monotonicMs();
    for (let first = heap[0]; first && first.atMs <= now; first = heap[0]) {
      popFirst(heap);
      if (dueAt.get(first.key) !== first.atMs) continue;
      dueAt.delete(first.key);
      run(first.key);
    }
    arm();
  }

  return {
    add(key, ms) {
      const atMs = clock.monotonicMs() + ms;
      const before = dueAt.get(key);
      if (before !== undefined && before <= atMs) return;
      dueAt.set(key, atMs);
      push(heap, { key, atMs });
      arm();
    },
    clear() {
      dueAt.clear();
      heap.length = 0;
      arm();
    },
    size: () => dueAt.size,
  };
}

/** Binary heap, earliest first. */
function push(heap: Due[], item: Due): void {
  let at = heap.length;
  while (at > 0) {
    const parent = (at - 1) >> 1;
    const above = heap[parent];
    if (!above || above.atMs <= item.atMs) break;
    heap[at] = above;
    at = parent;
  }
  heap[at] = item;
}

function popFirst(heap: Due[]): void {
  const last = heap.pop();
  if (!last || heap.length === 0) return;
  let at = 0;
  for (;;) {
    const left = heap[2 * at + 1];
    const right = heap[2 * at + 2];
    const child = left && right && right.atMs < left.atMs ? 2 * at + 2 : 2 * at + 1;
    const below = heap[child];
    if (!below || below.atMs >= last.atMs) break;
    heap[at] = below;
    at = child;
  }
  heap[at] = last;
}
