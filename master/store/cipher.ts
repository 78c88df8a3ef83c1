/**
 * 3. Contract: values that nobody can read on the disk. Given to the file store, which asks at every record that it writes or
 * reads; in memory values are always clear. Implemented by `encryption/`.
 */
export interface Cipher {
  /** Name of the key that values of this store key are sealed with from now on; `undefined`: they are written clear. */
  keyFor(key: string): string | undefined;
  /**
   * The value sealed with `keyFor(key)`. The result opens only together with the same place: it is bound to key and revision.
   */
  seal(place: Place, value: Buffer): Buffer;
  /** Throws `ValueUnreadable` when the key is not there or the bytes are not what `seal` made. */
  open(place: Place, sealed: Buffer): Buffer;
}

/** Where a value lies: its store key and the revision that wrote it. */
export interface Place {
  key: string;
  revision: number;
}

/** A sealed value that cannot be opened. */
export class ValueUnreadable extends Error {
  override readonly name = 'ValueUnreadable';
}

/** Name of the key that sealed this: what `seal` made begins with it, behind its length in one byte. */
export const sealedBy = (sealed: Buffer): string => sealed.toString('utf8', 1, 1 + (sealed[0] ?? 0));
