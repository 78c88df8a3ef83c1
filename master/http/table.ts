/**
 * 1. Server-side printing: stored objects -> `meta.k8s.io` Table and PartialObjectMetadata, as JSON text. Pure.
 *
 * Called by `encode.ts`. Columns and cells come from the row's printer; with `includeObject=Object` the stored bytes
 * go into the row as they are.
 */
import type { KubeObject } from '../../src/api/types.js';
import type { Stored } from '../registry/registry.js';
import type { Resource } from '../resources/resource.js';

export type IncludeObject = 'None' | 'Metadata' | 'Object';

export interface TableOptions {
  apiVersion: string;
  include: IncludeObject;
  now: Date;
  /** Only the first frame of a watch carries the columns. */
  columns: boolean;
}

/** `metadata` is that of the list, or of the one object. */
export function tableText(
  resource: Resource,
  items: readonly Stored[],
  metadata: object,
  options: TableOptions,
): string {
  const definitions = resource.printer.columns.map((column) => ({
    name: column.name,
    type: column.type,
    format: column.format ?? '',
    description: column.description,
    priority: column.priority ?? 0,
  }));
  const rows = items.map((item) => rowText(resource, item, options));
  const head = JSON.stringify({ kind: 'Table', apiVersion: options.apiVersion, metadata }).slice(0, -1);
  return `${head},"columnDefinitions":${JSON.stringify(options.columns ? definitions : [])},"rows":[${rows.join(',')}]}`;
}

function rowText(resource: Resource, item: Stored, { include, apiVersion, now }: TableOptions): string {
  const cells = `{"cells":${JSON.stringify(resource.printer.cells(item.object, now))}`;
  if (include === 'None') return `${cells}}`;
  const object = include === 'Object' ? item.bytes.toString('utf8') : metadataText(item.object, apiVersion);
  return `${cells},"object":${object}}`;
}

/** A bookmark in a watch that asked for tables: no cells, only the version. */
export const bookmarkTable = (apiVersion: string, metadata: { resourceVersion: string }): string =>
  JSON.stringify({
    kind: 'Table',
    apiVersion,
    metadata: { resourceVersion: metadata.resourceVersion },
    columnDefinitions: [],
    rows: [{ cells: [], object: { kind: 'PartialObjectMetadata', apiVersion, metadata } }],
  });

export const metadataText = (object: KubeObject, apiVersion: string): string =>
  JSON.stringify({ kind: 'PartialObjectMetadata', apiVersion, metadata: object.metadata });
