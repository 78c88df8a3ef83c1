/**
 * The change log of the fake API: what watches read. Events carry the version they made; a watch that asks for a version
 * older than the last compaction is refused as Expired, like the real one.
 */
import { expired } from '../api/errors.js';
import type { KubeObject } from '../api/types.js';
import type { ObjectEvent } from '../client/client.js';

export interface LoggedEvent {
  version: number;
  resource: string;
  type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK';
  object: KubeObject;
  old: KubeObject | undefined;
}

/** Turns a logged event into what one watch sees of it; undefined when it does not concern that watch. */
export type View = (event: LoggedEvent) => ObjectEvent<KubeObject> | undefined;

export interface FakeLog {
  append(event: LoggedEvent): void;
  /** Watches from before now are refused from now on. */
  compact(): void;
  /** Ends every open watch: quietly, or by throwing `error`. */
  drop(error?: Error): void;
  follow(from: number, view: View, signal: AbortSignal | undefined): AsyncIterable<ObjectEvent<KubeObject>>;
  readonly watchers: number;
}

interface Follower {
  next: number;
  ended: boolean;
  error: Error | undefined;
  wake: () => void;
}

export function createFakeLog(): FakeLog {
  const entries: LoggedEvent[] = [];
  const followers = new Set<Follower>();
  let compactedAt = 0;
  let lastVersion = 0;

  function end(follower: Follower, error?: Error): void {
    follower.ended = true;
    follower.error = error;
    follower.wake();
  }

  async function* follow(
    from: number,
    view: View,
    signal: AbortSignal | undefined,
  ): AsyncIterable<ObjectEvent<KubeObject>> {
    if (from < compactedAt) throw expired(`too old resource version: ${from} (${compactedAt})`);
    const first = entries.findIndex((entry) => entry.version > from);
    const follower: Follower = {
      next: first < 0 ? entries.length : first,
      ended: signal?.aborted ?? false,
      error: undefined,
      wake: () => undefined,
    };
    const onAbort = (): void => end(follower);
    signal?.addEventListener('abort', onAbort, { once: true });
    followers.add(follower);
    try {
      while (!follower.ended) {
        const entry = entries[follower.next];
        if (entry) {
          follower.next += 1;
          const seen = view(entry);
          if (seen) yield seen;
        } else {
          await new Promise<void>((resolve) => {
            follower.wake = resolve;
          });
        }
      }
      if (follower.error) throw follower.error;
    } finally {
      followers.delete(follower);
      signal?.removeEventListener('abort', onAbort);
    }
  }

  return {
    append(event) {
      entries.push(event);
      lastVersion = event.version;
      for (const follower of followers) follower.wake();
    },
    compact: () => {
      compactedAt = lastVersion;
    },
    drop: (error) => {
      for (const follower of followers) end(follower, error);
    },
    follow,
    get watchers() {
      return followers.size;
    },
  };
}
