/**
 * 2. Contract: how a kind gets numbers that only one object may hold (cluster IPs, node ports), atomically with its
 * write. The maps are in memory and rebuilt from the store at start. No I/O, nothing asynchronous: between `allocate`
 * and `commit` or `rollback` the numbers are reserved, so two concurrent writes never get the same one.
 */
import type { FieldError } from '../../src/api/errors.js';
import type { KubeObject } from '../../src/api/types.js';

export interface Allocation<T extends KubeObject = KubeObject> {
  /** The object with its numbers filled in. */
  object: T;
  /** What could not be had; nothing is reserved then. */
  errors: FieldError[];
  /** The write happened: gives back what `old` held and the object no longer does. */
  commit(): void;
  /** The write did not happen (or was a dry run): gives back what was reserved for it. */
  rollback(): void;
}

export interface AllocationHook<T extends KubeObject = KubeObject> {
  /** Takes over what stored objects hold, once, before the first `allocate`. */
  load(objects: Iterable<T>): void;
  /** `old` is absent on create. */
  allocate(object: T, old: T | undefined): Allocation<T>;
  /** The object left the store. */
  release(object: T): void;
}
