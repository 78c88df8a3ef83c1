/** The columns of Deployments and ReplicaSets. Pure. */
import { selectorOf } from '../../../src/api/selectors.js';
import type { Deployment, PodTemplateSpec, ReplicaSet } from '../../../src/api/types.js';
import type { Column, Printer } from '../resource.js';
import { ageColumn, createdAge, integer, nameColumn, text, wide } from './age.js';

const templateColumns: readonly Column[] = [
  wide(text('Containers', 'Names of the containers in the template.')),
  wide(text('Images', 'Images of the containers in the template.')),
  wide(text('Selector', 'Which pods belong to it.')),
];

function templateCells(
  template: PodTemplateSpec | undefined,
  selector: Parameters<typeof selectorOf>[0],
): unknown[] {
  const containers = template?.spec?.containers ?? [];
  return [
    containers.map(({ name }) => name).join(','),
    containers.map(({ image }) => image ?? '').join(','),
    selectorOf(selector).toString(),
  ];
}

export const deploymentPrinter: Printer<Deployment> = {
  columns: [
    nameColumn,
    text('Ready', 'Pods that are ready, of those that are wanted.'),
    integer('Up-to-date', 'Pods made from the present template.'),
    integer('Available', 'Pods that have been ready for minReadySeconds.'),
    ageColumn,
    ...templateColumns,
  ],
  cells: ({ metadata, spec, status }, now) => [
    metadata.name,
    `${status?.readyReplicas ?? 0}/${spec?.replicas ?? 0}`,
    status?.updatedReplicas ?? 0,
    status?.availableReplicas ?? 0,
    createdAge({ metadata }, now),
    ...templateCells(spec?.template, spec?.selector),
  ],
};

export const replicaSetPrinter: Printer<ReplicaSet> = {
  columns: [
    nameColumn,
    integer('Desired', 'Pods that are wanted.'),
    integer('Current', 'Pods that exist.'),
    integer('Ready', 'Pods that are ready.'),
    ageColumn,
    ...templateColumns,
  ],
  cells: ({ metadata, spec, status }, now) => [
    metadata.name,
    spec?.replicas ?? 0,
    status?.replicas ?? 0,
    status?.readyReplicas ?? 0,
    createdAge({ metadata }, now),
    ...templateCells(spec?.template, spec?.selector),
  ],
};
