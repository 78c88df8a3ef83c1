/** The columns of the kinds of apps, and of ReplicationControllers and PodTemplates. Pure. */
import { controllerOf } from '../../../src/api/meta.js';
import { selectorOf } from '../../../src/api/selectors.js';
import type {
  ControllerRevision,
  DaemonSet,
  Deployment,
  LabelSelector,
  PodTemplate,
  PodTemplateSpec,
  ReplicaSet,
  ReplicationController,
  StatefulSet,
} from '../../../src/api/types.js';
import type { Column, Printer } from '../resource.js';
import { ageColumn, createdAge, integer, nameColumn, text, wide } from './age.js';

const containersColumn = text('Containers', 'Names of the containers in the template.');
const imagesColumn = text('Images', 'Images of the containers in the template.');

export const templateColumns: readonly Column[] = [
  wide(containersColumn),
  wide(imagesColumn),
  wide(text('Selector', 'Which pods belong to it.')),
];

function containerCells(template: PodTemplateSpec | undefined): string[] {
  const containers = template?.spec?.containers ?? [];
  return [containers.map(({ name }) => name).join(','), containers.map(({ image }) => image ?? '').join(',')];
}

export const templateCells = (
  template: PodTemplateSpec | undefined,
  selector: LabelSelector | undefined,
): string[] => [...containerCells(template), selectorOf(selector).toString() || none];

const none = '<none>';

/** `a=b,c=d`, in order of the keys. */
const labelsText = (labels: Record<string, string> | undefined): string =>
  Object.entries(labels ?? {})
    .map(([key, value]) => `${key}=${value}`)
    .sort()
    .join(',') || none;

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

export const replicationControllerPrinter: Printer<ReplicationController> = {
  columns: replicaSetPrinter.columns,
  cells: ({ metadata, spec, status }, now) => [
    metadata.name,
    spec?.replicas ?? 0,
    status?.replicas ?? 0,
    status?.readyReplicas ?? 0,
    createdAge({ metadata }, now),
    ...containerCells(spec?.template),
    labelsText(spec?.selector),
  ],
};

export const statefulSetPrinter: Printer<StatefulSet> = {
  columns: [
    nameColumn,
    text('Ready', 'Pods that are ready, of those that are wanted.'),
    ageColumn,
    wide(containersColumn),
    wide(imagesColumn),
  ],
  cells: ({ metadata, spec, status }, now) => [
    metadata.name,
    `${status?.readyReplicas ?? 0}/${spec?.replicas ?? 0}`,
    createdAge({ metadata }, now),
    ...containerCells(spec?.template),
  ],
};

export const daemonSetPrinter: Printer<DaemonSet> = {
  columns: [
    nameColumn,
    integer('Desired', 'Nodes that should run its pod.'),
    integer('Current', 'Nodes that run its pod and should.'),
    integer('Ready', 'Nodes whose pod is ready.'),
    integer('Up-to-date', 'Nodes whose pod is made from the present template.'),
    integer('Available', 'Nodes whose pod has been ready for minReadySeconds.'),
    text('Node Selector', 'Which nodes run its pod.'),
    ageColumn,
    ...templateColumns,
  ],
  cells: ({ metadata, spec, status }, now) => [
    metadata.name,
    status?.desiredNumberScheduled ?? 0,
    status?.currentNumberScheduled ?? 0,
    status?.numberReady ?? 0,
    status?.updatedNumberScheduled ?? 0,
    status?.numberAvailable ?? 0,
    labelsText(spec?.template?.spec?.nodeSelector),
    createdAge({ metadata }, now),
    ...templateCells(spec?.template, spec?.selector),
  ],
};

export const controllerRevisionPrinter: Printer<ControllerRevision> = {
  columns: [
    nameColumn,
    text('Controller', 'Whose state it keeps.'),
    integer('Revision', 'Grows with every state.'),
    ageColumn,
  ],
  cells: (object, now) => [object.metadata.name, ownerText(object), object.revision, createdAge(object, now)],
};

/** `statefulset.apps/web`. */
function ownerText(object: ControllerRevision): string {
  const owner = controllerOf(object);
  if (!owner) return none;
  const slash = owner.apiVersion.indexOf('/');
  const group = slash < 0 ? '' : `.${owner.apiVersion.slice(0, slash)}`;
  return `${owner.kind.toLowerCase()}${group.toLowerCase()}/${owner.name}`;
}

export const podTemplatePrinter: Printer<PodTemplate> = {
  columns: [nameColumn, containersColumn, imagesColumn, text('Pod Labels', 'Labels of the template.')],
  cells: ({ metadata, template }) => [
    metadata.name,
    ...containerCells(template),
    labelsText(template?.metadata?.labels),
  ],
};
