/** How the rows of the table are written: what most kinds share is filled in. */
import type { KubeObject } from '../../../src/api/types.js';
import { plainPrinter } from '../printers/plain.js';
import type { Resource, View } from '../resource.js';

interface Row<T extends KubeObject> extends Partial<Omit<Resource<T>, 'type'>> {
  type: Resource<T>['type'];
}

export const row = <T extends KubeObject>(given: Row<T>): Resource<T> => ({
  singular: given.type.kind.toLowerCase(),
  shortNames: [],
  categories: [],
  subresources: [],
  strategy: {},
  printer: plainPrinter,
  ...given,
});

interface ViewRow extends Omit<View, 'of' | 'toStored' | 'fromStored'> {
  type: Resource['type'];
  /** One object each; both leave their argument alone. */
  toStored(object: KubeObject): KubeObject;
  fromStored(object: KubeObject): KubeObject;
}

/** Another version of the kind of `of`, with its names and subresources; tables print what is stored. */
export function viewRow(of: Resource, { type, toStored, fromStored, ...more }: ViewRow): Resource {
  const { view: _view, ...shared } = of;
  return {
    ...shared,
    type,
    printer: {
      columns: of.printer.columns,
      cells: (object, now) => of.printer.cells(toStored(object), now),
    },
    view: {
      of,
      toStored: (objects) => objects.map(toStored),
      fromStored: (objects) => objects.map(fromStored),
      ...more,
    },
  };
}
