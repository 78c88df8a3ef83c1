/** Rows of tables as kubectl shows them, for tests of the columns. Imported by tests only. */
import type { KubeObject } from '../../src/api/types.js';
import type { Column } from './resource.js';
import { createResources } from './table.js';

export const created = '2026-01-01T00:00:00Z';
export const now = new Date('2026-01-01T00:05:00Z');
export const resources = createResources();

/** The row of a table, by column name in kubectl's capitals. */
export function printed(kind: string, given: object): Record<string, unknown> {
  const resource = resources.find(({ type }) => type.resource === kind);
  if (!resource) throw new Error(`no kind ${kind}`);
  const { metadata = {}, ...rest } = given as { metadata?: object };
  const object = { metadata: { name: 'a', creationTimestamp: created, ...metadata }, ...rest };
  const cells = resource.printer.cells(object as KubeObject, now);
  if (cells.length !== resource.printer.columns.length) throw new Error(`${kind}: not a cell per column`);
  return Object.fromEntries(
    resource.printer.columns.map(({ name }: Column, index) => [name.toUpperCase(), cells[index]]),
  );
}
