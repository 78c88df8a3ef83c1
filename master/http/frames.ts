/**
 * 1. Watch frames that many watchers share: an event is framed once, and every watcher that wants plain JSON writes
 * the same buffer. Only the last few are kept; a watcher further behind frames for itself.
 */
import type { StoredEvent } from '../registry/registry.js';
import type { Resource } from '../resources/resource.js';
import { bookmarkBytes, frame } from './encode.js';

interface Framed {
  type: string;
  frame: Buffer;
}

export class SharedFrames {
  readonly #capacity: number;
  /** By the identity of the object's bytes, oldest first. */
  readonly #frames = new Map<Buffer, Framed>();

  constructor(capacity = 512) {
    this.#capacity = capacity;
  }

  of(resource: Resource, event: StoredEvent): Buffer {
    if (event.type === 'BOOKMARK') return frame('BOOKMARK', bookmarkBytes(resource, event));
    const { bytes } = event.item;
    const known = this.#frames.get(bytes);
    if (known?.type === event.type) return known.frame;
    const made = frame(event.type, bytes);
    if (known === undefined) this.#keep(bytes, { type: event.type, frame: made });
    return made;
  }

  #keep(bytes: Buffer, framed: Framed): void {
    this.#frames.set(bytes, framed);
    if (this.#frames.size <= this.#capacity) return;
    const oldest = this.#frames.keys().next();
    if (!oldest.done) this.#frames.delete(oldest.value);
  }
}
