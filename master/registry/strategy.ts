/**
 * 2. Contract: what differs from kind to kind on the write path. Pure: no I/O; clock, random and allocators come in
 * through `StrategyContext`. Validation never mutates. All hooks are optional; the generic registry calls them in the
 * order prepare -> validate -> (store) and owns `metadata` entirely.
 */
import type { FieldError } from '../../src/api/errors.js';
import type { KubeObject } from '../../src/api/types.js';

export interface StrategyContext {
  now: Date;
  /** Who writes; `metadata` ownership and node restrictions may depend on it. */
  user: string;
  groups: readonly string[];
  uid?: string | undefined;
  extra?: Readonly<Record<string, readonly string[]>> | undefined;
  dryRun: boolean;
}

/** `T` is the stored, defaulted object. Hooks may return a changed copy; they never change their arguments. */
export interface Strategy<T extends KubeObject = KubeObject> {
  /** Fills what is left out, before validation, on create and on update alike (Kubernetes defaulting). */
  default?(object: T): T;
  /** On create: drop status, set initial values. */
  prepareForCreate?(context: StrategyContext, object: T): T;
  /** On update of the main resource: keep status and what users may not change; generation is the registry's job. */
  prepareForUpdate?(context: StrategyContext, object: T, old: T): T;
  /** On update of `/status`: by default spec and metadata (but labels/annotations of old) are kept from `old`. */
  prepareForStatusUpdate?(context: StrategyContext, object: T, old: T): T;
  validate?(object: T): FieldError[];
  /** On create only, besides `validate`. */
  validateCreate?(object: T): FieldError[];
  validateUpdate?(object: T, old: T): FieldError[];
  validateStatusUpdate?(object: T, old: T): FieldError[];
  warnings?(object: T, old: T | undefined): string[];
  /**
   * The fields that make `generation` grow when they change; `spec` by default; `false` for kinds without generation;
   * `body` means everything but metadata, and status where that has a subresource.
   */
  generation?: 'spec' | 'body' | false;
  /** Values for field selectors, besides metadata.name and metadata.namespace. */
  fields?(object: T): Record<string, string>;
  /**
   * Graceful deletion: how many seconds to wait for the agent, 0 to remove at once. Pods return their grace period;
   * kinds without the hook are removed at once (finalizers permitting).
   */
  gracePeriodSeconds?(object: T, asked: number | undefined): number;
  /** A delete that says nothing of dependents leaves them (`Orphan`), as kinds older than garbage collection do. */
  orphansByDefault?: true;
  /** What is wrong with the name; a DNS-1123 subdomain by default. With `prefix` it is a generateName. */
  validateName?(name: string, prefix: boolean): string[];
  /** Why the object may not be deleted at all; `undefined` when it may. */
  forbidDelete?(object: T): string | undefined;
  /** On the first delete of an object that stays for finalizers or its grace period (Namespace: phase Terminating). */
  prepareForDelete?(context: StrategyContext, object: T): T;
  /** PUT of an object that is not there creates it. */
  allowCreateOnUpdate?: true;
  /** False: an update must say which version it is meant for. */
  allowUnconditionalUpdate?: false;
  /** What besides metadata.finalizers keeps an object that is being deleted (Namespace: spec.finalizers). */
  hasOwnFinalizers?(object: T): boolean;
  /**
   * Updates of further subresources, such as `finalize` and `approval`: takes over from `object` what they may set.
   * `undefined` for a subresource that the kind cannot update.
   */
  prepareForSubresourceUpdate?(
    subresource: string,
    context: StrategyContext,
    object: T,
    old: T,
  ): T | undefined;
  /** What is wrong with what `prepareForSubresourceUpdate` made; nothing by default. */
  validateSubresourceUpdate?(subresource: string, object: T, old: T): FieldError[];
}
