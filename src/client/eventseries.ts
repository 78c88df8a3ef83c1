/**
 * The memory of the event recorder: which Events it wrote lately, so that a repeat raises a count instead of making a
 * new one, and how many each object may still have. Called by `events.ts` only. Bounded: the oldest are forgotten.
 *
 * - the same text again: count + 1 on the Event that exists;
 * - one reason with many different texts (more than 10 in 10 minutes): one Event `(combined from similar events)`;
 * - an object gets a burst of 25 events, then one every 5 minutes (as client-go's defaults).
 */
import type { ObjectRef } from '../api/meta.js';
import type { Event, KubeObject } from '../api/types.js';
import type { Clock } from '../host/clock.js';

export interface EventSeries {
  /** False when the object has used up its share; takes one of it otherwise. */
  admits(object: KubeObject): boolean;
  /** The Event to patch instead of creating this one, if it is a repeat. */
  repeatOf(
    event: Event,
  ): { ref: ObjectRef; patch: { count: number; message: string; lastTimestamp: string } } | undefined;
  wrote(event: Event, name: string, count: number): void;
  /** Makes names unique within a millisecond. */
  nextNumber(): number;
}

const remembered = 4_096;
const burst = 25;
const refillMs = 300_000;
const similarTexts = 10;
const similarWindowMs = 600_000;

interface Written {
  name: string;
  count: number;
}

interface Similar {
  sinceMs: number;
  texts: Set<string>;
}

export function createEventSeries(clock: Clock): EventSeries {
  const written = createRecent<Written>(remembered);
  const similar = createRecent<Similar>(remembered);
  const shares = createRecent<{ tokens: number; atMs: number }>(remembered);
  let number = 0;

  /** True once the reason has come with so many texts that they count as one. */
  function isCombined(event: Event): boolean {
    const nowMs = clock.monotonicMs();
    const key = groupKey(event);
    const known = similar.get(key);
    const current =
      known && nowMs - known.sinceMs < similarWindowMs ? known : { sinceMs: nowMs, texts: new Set<string>() };
    if (current.texts.size <= similarTexts) current.texts.add(event.message ?? '');
    similar.set(key, current);
    return current.texts.size > similarTexts;
  }

  /** The text under which the event counts as the same; rewrites the message of combined ones. */
  function keyOfEvent(event: Event): string {
    if (!isCombined(event)) return JSON.stringify([groupKey(event), event.message]);
    const prefix = '(combined from similar events): ';
    if (!event.message?.startsWith(prefix)) event.message = `${prefix}${event.message ?? ''}`;
    return groupKey(event);
  }

  return {
    admits(object) {
      const key = object.metadata.uid ?? `${object.metadata.namespace}/${object.metadata.name}`;
      const nowMs = clock.monotonicMs();
      const share = shares.get(key) ?? { tokens: burst, atMs: nowMs };
      const tokens = Math.min(burst, share.tokens + (nowMs - share.atMs) / refillMs);
      shares.set(key, { tokens: tokens >= 1 ? tokens - 1 : tokens, atMs: nowMs });
      return tokens >= 1;
    },
    repeatOf(event) {
      const known = written.get(keyOfEvent(event));
      if (!known) return undefined;
      return {
        ref: { namespace: event.metadata.namespace, name: known.name },
        patch: {
          count: known.count + 1,
          message: event.message ?? '',
          lastTimestamp: event.lastTimestamp ?? '',
        },
      };
    },
    wrote: (event, name, count) => written.set(keyOfEvent(event), { name, count }),
    nextNumber: () => {
      number = (number + 1) % 1_000_000;
      return number;
    },
  };
}

const groupKey = ({ involvedObject: o, type, reason }: Event): string =>
  JSON.stringify([o.kind, o.namespace, o.name, o.uid, o.fieldPath, type, reason]);

interface Recent<V> {
  get(key: string): V | undefined;
  set(key: string, value: V): void;
}

/** A map that forgets the entry that was set longest ago. */
function createRecent<V>(limit: number): Recent<V> {
  const entries = new Map<string, V>();
  return {
    get: (key) => entries.get(key),
    set(key, value) {
      entries.delete(key);
      entries.set(key, value);
      if (entries.size <= limit) return;
      const [oldest] = entries.keys();
      if (oldest !== undefined) entries.delete(oldest);
    },
  };
}
