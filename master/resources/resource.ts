/**
 * Contract: one row per served kind. Routes, discovery, tables, OpenAPI and the registry are all driven by the rows of
 * `table.ts`; a new kind is one row and, where it differs, one strategy.
 */
import type { FieldError } from '../../src/api/errors.js';
import type { ResourceType } from '../../src/api/kinds.js';
import type { ObjectType } from '../../src/api/schema/table.js';
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

/**
 * A version of a kind that is not how it is stored: decoded, patched and answered in its own version, everything else is
 * the storing row's. In batches, because a conversion webhook takes them so; the results are new objects.
 */
export interface View {
  of: Resource;
  toStored(objects: readonly KubeObject[]): readonly KubeObject[] | Promise<readonly KubeObject[]>;
  fromStored(objects: readonly KubeObject[]): readonly KubeObject[] | Promise<readonly KubeObject[]>;
  /**
   * What a write in this version is told, of what is wrong with the stored object: in its own paths, with what it allows
   * left out and what it asks for besides.
   */
  validate?(
    errors: readonly FieldError[],
    object: KubeObject,
    old: KubeObject | undefined,
  ): readonly FieldError[];
  /** Field selector labels of this version -> those of the storing row. */
  fieldLabels?: Readonly<Record<string, string>>;
}

/** The scale subresource of kinds that keep their replicas elsewhere than in `spec.replicas`. */
export interface ScaleAccess {
  /** Throws an `ApiError` for an object without the field that the replicas are in. */
  read(object: KubeObject): { specReplicas: number; statusReplicas: number; selector: string };
  /** A copy that asks for as many. */
  write(object: KubeObject, replicas: number): KubeObject;
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
  /** What objects look like, for kinds that are not in the built-in schema. */
  schema?: ObjectType;
  /** The list of such a kind, where it is not called by its kind and `List`. */
  listKind?: string;
  scale?: ScaleAccess;
  /** Sent as a warning with every answer of a deprecated version. */
  deprecation?: string;
  view?: View;
  /** The only verbs of the object itself, for kinds that are answered instead of stored (reviews, metrics). */
  verbs?: readonly string[];
  /** Removed this long after the last write (events); kept for ever when absent. As durable as everything else. */
  storageTtlSeconds?: number;
}
