/**
 * When which revision may be forgotten: history is kept for a time, counted from the last write of a slice. Pure.
 *
 * Writes are noted in slices of a tenth of the time, so that a busy store costs a few dozen marks and one compaction
 * per slice, and a store without writes costs nothing: `nextMs` is then `undefined` and no timer is needed.
 */
interface Slice {
  openedMs: number;
  lastMs: number;
  revision: number;
}

export class Retention {
  readonly #keepMs: number;
  #slices: Slice[] = [];

  constructor(keepMs: number) {
    this.#keepMs = keepMs;
  }

  /** A write of this revision happened at `nowMs` (monotonic). */
  note(revision: number, nowMs: number): void {
    const open = this.#slices.at(-1);
    if (open && nowMs - open.openedMs < this.#keepMs / 10) {
      open.lastMs = nowMs;
      open.revision = revision;
    } else this.#slices.push({ openedMs: nowMs, lastMs: nowMs, revision });
  }

  /** When the oldest slice runs out. */
  nextMs(): number | undefined {
    const oldest = this.#slices[0];
    return oldest && oldest.lastMs + this.#keepMs;
  }

  /** Removes the slices that ran out and returns the revision up to which history may go. */
  expire(nowMs: number): number | undefined {
    let revision: number | undefined;
    for (
      let oldest = this.#slices[0];
      oldest && oldest.lastMs + this.#keepMs <= nowMs;
      oldest = this.#slices[0]
    ) {
      revision = oldest.revision;
      this.#slices.shift();
    }
    return revision;
  }
}
