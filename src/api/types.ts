/**
 * The types of the API: the generated Kubernetes types, and the few shapes that span all kinds. Pure types.
 *
 * Everyone imports from here, never from `generated/`. `Status` is the one of `errors.ts`.
 */
import type { Status } from './errors.js';
import type { ListMeta, ObjectMeta } from './generated/types.js';

export type { Status } from './errors.js';
export type * from './generated/types.js';

/** What every stored object is. */
export interface KubeObject {
  apiVersion?: string | undefined;
  kind?: string | undefined;
  metadata: ObjectMeta;
}

export interface List<T> {
  apiVersion?: string | undefined;
  kind?: string | undefined;
  metadata: ListMeta;
  items: T[];
}

/** One frame of a watch. A `BOOKMARK` object has only its kind and `metadata.resourceVersion`. */
export type WatchEvent<T> =
  | { type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK'; object: T }
  | { type: 'ERROR'; object: Status };

/** What the conditions of all kinds have in common. */
export interface Condition {
  type: string;
  status: string;
  reason?: string | undefined;
  message?: string | undefined;
  lastTransitionTime?: string | undefined;
  observedGeneration?: number | undefined;
}
