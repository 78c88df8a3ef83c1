/** The columns of a kind that has nothing of its own to show. Pure. */
import type { KubeObject } from '../../../src/api/types.js';
import type { Printer } from '../resource.js';
import { ageColumn, createdAge, nameColumn } from './age.js';

export const plainPrinter: Printer<KubeObject> = {
  columns: [nameColumn, ageColumn],
  cells: (object, now) => [object.metadata.name, createdAge(object, now)],
};

/** Of kinds that Kubernetes has no columns for, such as Roles: the time whole, not as an age. */
export const createdPrinter: Printer<KubeObject> = {
  columns: [nameColumn, { name: 'Created At', type: 'date', description: 'When it was created.' }],
  cells: ({ metadata }) => [metadata.name, metadata.creationTimestamp],
};
