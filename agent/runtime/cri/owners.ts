/**
 * 8. Which pod each container and sandbox of this node belongs to, for events that name ids only. Filled by whatever
 * creates and lists; a cache, nothing is lost with it. Used by sandboxes.ts, containers.ts and cri.ts.
 */
import { labels } from '../runtime.js';

export type OwnedKind = 'sandbox' | 'container';

export interface Owned {
  kind: OwnedKind;
  podUid: string;
}

interface Found {
  id: string;
  labels: Readonly<Record<string, string>>;
}

export class Owners {
  readonly #known = new Map<string, Owned>();

  get(id: string): Owned | undefined {
    return this.#known.get(id);
  }

  note(kind: OwnedKind, found: Found): void {
    this.#known.set(found.id, { kind, podUid: found.labels[labels.podUid] ?? '' });
  }

  forget(id: string): void {
    this.#known.delete(id);
  }

  /** A complete list: all others of the kind are gone. */
  noteAll(kind: OwnedKind, all: readonly Found[]): void {
    const ids = new Set(all.map(({ id }) => id));
    for (const [id, owned] of this.#known) if (owned.kind === kind && !ids.has(id)) this.#known.delete(id);
    for (const found of all) this.note(kind, found);
  }
}
