/** The columns of a kind that has nothing of its own to show. Pure. */
import type { KubeObject } from '../../../src/api/types.js';
import type { Printer } from '../resource.js';
import { ageColumn, createdAge, nameColumn } from './age.js';

export const plainPrinter: Printer<KubeObject> = {
  columns: [nameColumn, ageColumn],
  cells: (object, now) => [object.metadata.name, createdAge(object, now)],
};
