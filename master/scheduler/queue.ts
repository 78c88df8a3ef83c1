/**
 * Which pod is next. Keys only: the pod itself is read from the cache when its turn comes.
 *
 *   add ----> ready --next--> taken --remove--> (gone)
 *               ^               |
 *               |               +-- refused: waits for an event that may help, or five minutes
 *               +---------------+-- failed: waits for its back-off
 *
 * Ready pods go by priority, then age. A pod that was refused or failed n times in a row waits at least 1 s, doubling
 * to 10 s, before its next try, whatever happens (kube-scheduler's times). Nothing polls: there is one timer, for the
 * pod that is due first.
 */
import type { Pod } from '../../src/api/types.js';
import { backoffMs } from '../../src/client/backoff.js';
import { type Deferred, deferred } from '../../src/client/wait.js';
import { createWorkQueue } from '../../src/client/workqueue.js';
import type { Clock } from '../../src/host/clock.js';
import { createHeap } from './heap.js';
import type { ClusterEvent } from './plugin.js';

export interface SchedulingQueue {
  /** New, or changed in a way that may help: ready at once. A pod that is ready or taken stays so. */
  add(key: string, pod: Pod): void;
  /** Takes the next pod, waiting for one; undefined after `shutDown`. Every taken pod is to be given back. */
  next(): Promise<string | undefined>;
  /** It fits nowhere until one of the events. */
  refused(key: string, helpedBy: ReadonlySet<ClusterEvent>): void;
  /** Something went wrong; it is tried again after its back-off. */
  failed(key: string): void;
  /** It has a node, or is gone. */
  remove(key: string): void;
  /** Wakes the pods that wait for such an event. */
  happened(event: ClusterEvent): void;
  shutDown(): void;
  readonly ready: number;
  readonly waiting: number;
}

interface Entry {
  key: string;
  priority: number;
  createdAt: string;
  state: 'ready' | 'taken' | 'waiting';
  failures: number;
  /** On the monotonic clock: not before. */
  retryAtMs: number;
  helpedBy: ReadonlySet<ClusterEvent>;
}

const backoff = { minMs: 1_000, maxMs: 10_000 };
/** Only a guard against an event that we did not know would help. */
const longestWaitMs = 300_000;
const nothing: ReadonlySet<ClusterEvent> = new Set();

function isBefore(a: Entry, b: Entry): boolean {
  if (a.priority !== b.priority) return a.priority > b.priority;
  if (a.createdAt !== b.createdAt) return a.createdAt < b.createdAt;
  return a.key < b.key;
}

export function createSchedulingQueue(clock: Clock): SchedulingQueue {
  const entries = new Map<string, Entry>();
  /** Entries that were removed meanwhile are skipped. */
  const heap = createHeap(isBefore);
  const waitingFor = new Map<ClusterEvent, Set<Entry>>();
  const delays = createWorkQueue({ clock });
  let waiter: Deferred<string | undefined> | undefined;
  let closed = false;

  async function watchDelays(): Promise<void> {
    for (let key = await delays.get(); key !== undefined; key = await delays.get()) {
      const entry = entries.get(key);
      delays.done(key);
      if (entry?.state === 'waiting') wake(entry);
    }
  }

  function makeReady(entry: Entry): void {
    forgetEvents(entry);
    entry.state = 'ready';
    heap.push(entry);
    if (!waiter) return;
    const { resolve } = waiter;
    waiter = undefined;
    resolve(take());
  }

  function take(): string | undefined {
    for (let entry = heap.pop(); entry; entry = heap.pop()) {
      if (entries.get(entry.key) !== entry) continue;
      entry.state = 'taken';
      return entry.key;
    }
    return undefined;
  }

  /** Ready as soon as its back-off allows. */
  function wake(entry: Entry): void {
    const ms = entry.retryAtMs - clock.monotonicMs();
    forgetEvents(entry);
    if (ms <= 0) makeReady(entry);
    else delays.addAfter(entry.key, ms);
  }

  function forgetEvents(entry: Entry): void {
    for (const event of entry.helpedBy) waitingFor.get(event)?.delete(entry);
    entry.helpedBy = nothing;
  }

  /** The entry, put down after one more failure. */
  function putDown(key: string): Entry | undefined {
    const entry = entries.get(key);
    if (entry?.state !== 'taken') return undefined;
    entry.state = 'waiting';
    entry.failures += 1;
    entry.retryAtMs = clock.monotonicMs() + backoffMs(entry.failures, backoff);
    return entry;
  }

  const countOf = (state: Entry['state']): number =>
    [...entries.values()].filter((entry) => entry.state === state).length;

  void watchDelays();
  return {
    add(key, pod) {
      if (closed) return;
      const known = entries.get(key);
      if (known && known.state !== 'waiting') return;
      const entry: Entry = known ?? {
        key,
        priority: pod.spec?.priority ?? 0,
        createdAt: pod.metadata.creationTimestamp ?? '',
        state: 'waiting',
        failures: 0,
        retryAtMs: 0,
        helpedBy: nothing,
      };
      entries.set(key, entry);
      makeReady(entry);
    },
    next() {
      const key = closed ? undefined : take();
      if (key !== undefined || closed) return Promise.resolve(key);
      waiter ??= deferred<string | undefined>();
      return waiter.promise;
    },
    refused(key, helpedBy) {
      const entry = putDown(key);
      if (!entry) return;
      entry.helpedBy = helpedBy;
      for (const event of helpedBy) {
        const entriesOfEvent = waitingFor.get(event) ?? new Set();
        waitingFor.set(event, entriesOfEvent.add(entry));
      }
      delays.addAfter(key, longestWaitMs);
    },
    failed(key) {
      const entry = putDown(key);
      if (entry) wake(entry);
    },
    remove(key) {
      const entry = entries.get(key);
      if (entry) forgetEvents(entry);
      entries.delete(key);
    },
    happened(event) {
      for (const entry of [...(waitingFor.get(event) ?? [])]) wake(entry);
    },
    shutDown() {
      closed = true;
      delays.shutDown();
      entries.clear();
      waiter?.resolve(undefined);
      waiter = undefined;
    },
    get ready() {
      return countOf('ready');
    },
    get waiting() {
      return countOf('waiting');
    },
  };
}
