/**
 * Hands out the numbers 0 to size-1, each to one holder at a time. Pure. Under it lie cluster IPs, node ports and the
 * pod CIDRs of nodes.
 *
 * A number just given back is not handed out again at once: searching goes on behind the last one found, so that
 * whoever still remembers an old address does not meet a new owner.
 */
export class Bitmap {
  readonly size: number;
  readonly #words: Uint32Array;
  #used = 0;
  #next = 0;

  /** Searching starts at `from`: numbers below are handed out last, so that who names one of them finds it free. */
  constructor(size: number, from = 0) {
    if (!Number.isInteger(size) || size < 0 || size > 2 ** 27)
      throw new RangeError(`no bitmap of size ${size}`);
    this.size = size;
    this.#next = Math.min(from, Math.max(size - 1, 0));
    this.#words = new Uint32Array(Math.ceil(size / 32));
  }

  get used(): number {
    return this.#used;
  }

  has(index: number): boolean {
    return ((this.#words[index >>> 5] ?? 0) & (1 << (index & 31))) !== 0;
  }

  /** A free number; `undefined` when all are taken. */
  allocate(): number | undefined {
    if (this.#used >= this.size) return undefined;
    for (let index = this.#next; ; index = this.#after(index)) {
      if (this.has(index)) continue;
      this.#set(index);
      this.#next = index + 1 >= this.size ? 0 : index + 1;
      return index;
    }
  }

  /** False when it is taken; throws `RangeError` for a number outside. */
  allocateSpecific(index: number): boolean {
    this.#check(index);
    if (this.has(index)) return false;
    this.#set(index);
    return true;
  }

  /** False when it was free already. */
  release(index: number): boolean {
    this.#check(index);
    if (!this.has(index)) return false;
    this.#words[index >>> 5] = (this.#words[index >>> 5] ?? 0) & ~(1 << (index & 31));
    this.#used -= 1;
    return true;
  }

  #check(index: number): void {
    if (!Number.isInteger(index) || index < 0 || index >= this.size)
      throw new RangeError(`${index} is not below ${this.size}`);
  }

  #set(index: number): void {
    this.#words[index >>> 5] = (this.#words[index >>> 5] ?? 0) | (1 << (index & 31));
    this.#used += 1;
  }

  /** The next candidate; whole words without a free bit are passed over. */
  #after(index: number): number {
    let next = index + 1;
    while ((next & 31) === 0 && next < this.size && this.#words[next >>> 5] === 0xffffffff) next += 32;
    return next >= this.size ? 0 : next;
  }
}
