/**
 * Contract: one row per served kind. Routes, discovery, tables, OpenAPI and the registry are all driven by the rows of
 * `table.ts`; a new kind is one row and, where it differs, one strategy.
 */
import type { ResourceType } from '../../src/api/kinds.js';
import type { KubeObject } from '../../src/api/types.js';
import type { Strategy } from '../registry/strategy.js';

/** `apimachinery metav1.TableColumnDefinition`. Priority > 0 shows with `-o wide` only. */
export interface Column {
  name: string;
  type: 'string' | 'integer' | 'number' | 'boolean' | 'date';
  format?: string;
  priority?: number;
  description: string;
}

export interface Printer<T extends KubeObject> {
  columns: readonly Column[];
  /** One cell per column; ages are rendered here, against `now`. */
  cells(object: T, now: Date): readonly unknown[];
}

export interface Resource<T extends KubeObject = KubeObject> {
  type: ResourceType<T>;
  singular: string;
  shortNames: readonly string[];
  categories: readonly string[];
  /** `status`, `scale`, `binding`, `log`, `exec`...: those the HTTP layer serves beyond the object itself. */
  subresources: readonly string[];
  strategy: Strategy<T>;
  printer: Printer<T>;
  /** Removed this long after the last write (events); kept for ever when absent. As durable as everything else. */
  storageTtlSeconds?: number;
}
