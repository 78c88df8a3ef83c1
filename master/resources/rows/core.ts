/** Rows of the core group. */
import * as kinds from '../../../src/api/kinds.js';
import { configMapStrategy } from '../../registry/kinds/configmap.js';
import { endpointsStrategy } from '../../registry/kinds/endpoints.js';
import { eventStrategy } from '../../registry/kinds/event.js';
import { limitRangeStrategy } from '../../registry/kinds/limitrange.js';
import { namespaceStrategy } from '../../registry/kinds/namespace.js';
import { nodeStrategy } from '../../registry/kinds/node.js';
import { persistentVolumeStrategy } from '../../registry/kinds/persistentvolume.js';
import { persistentVolumeClaimStrategy } from '../../registry/kinds/persistentvolumeclaim.js';
import { podStrategy } from '../../registry/kinds/pod.js';
import { podTemplateStrategy } from '../../registry/kinds/podtemplate.js';
import { replicationControllerStrategy } from '../../registry/kinds/replicationcontroller.js';
import { resourceQuotaStrategy } from '../../registry/kinds/resourcequota.js';
import { secretStrategy } from '../../registry/kinds/secret.js';
import { serviceStrategy } from '../../registry/kinds/service.js';
import { serviceAccountStrategy } from '../../registry/kinds/small.js';
import {
  componentStatusPrinter,
  configMapPrinter,
  eventPrinter,
  namespacePrinter,
  resourceQuotaPrinter,
  secretPrinter,
  serviceAccountPrinter,
} from '../printers/core.js';
import { nodePrinter } from '../printers/node.js';
import { createdPrinter } from '../printers/plain.js';
import { podPrinter } from '../printers/pod.js';
import { endpointsPrinter, servicePrinter } from '../printers/service.js';
import { persistentVolumeClaimPrinter, persistentVolumePrinter } from '../printers/storage.js';
import { podTemplatePrinter, replicationControllerPrinter } from '../printers/workload.js';
import type { Resource } from '../resource.js';
import { row } from './row.js';

/** Other groups show the same objects. */
export const eventRow = row({
  type: kinds.events,
  shortNames: ['ev'],
  storageTtlSeconds: 3600,
  strategy: eventStrategy,
  printer: eventPrinter,
});

export const coreRows: readonly Resource[] = [
  row({
    type: kinds.namespaces,
    shortNames: ['ns'],
    subresources: ['status', 'finalize'],
    strategy: namespaceStrategy,
    printer: namespacePrinter,
  }),
  row({
    type: kinds.nodes,
    shortNames: ['no'],
    subresources: ['status', 'proxy'],
    strategy: nodeStrategy,
    printer: nodePrinter,
  }),
  row({
    type: kinds.pods,
    shortNames: ['po'],
    categories: ['all'],
    subresources: [
      ...['status', 'binding', 'eviction', 'ephemeralcontainers', 'resize'],
      ...['log', 'exec', 'attach', 'portforward', 'proxy'],
    ],
    strategy: podStrategy,
    printer: podPrinter,
  }),
  row({
    type: kinds.services,
    shortNames: ['svc'],
    categories: ['all'],
    subresources: ['status', 'proxy'],
    strategy: serviceStrategy,
    printer: servicePrinter,
  }),
  row({
    type: kinds.endpoints,
    singular: 'endpoints',
    shortNames: ['ep'],
    strategy: endpointsStrategy,
    printer: endpointsPrinter,
  }),
  row({
    type: kinds.configMaps,
    shortNames: ['cm'],
    strategy: configMapStrategy,
    printer: configMapPrinter,
  }),
  row({ type: kinds.secrets, strategy: secretStrategy, printer: secretPrinter }),
  row({
    type: kinds.serviceAccounts,
    shortNames: ['sa'],
    subresources: ['token'],
    strategy: serviceAccountStrategy,
    printer: serviceAccountPrinter,
  }),
  eventRow,
  row({
    type: kinds.persistentVolumes,
    shortNames: ['pv'],
    subresources: ['status'],
    strategy: persistentVolumeStrategy,
    printer: persistentVolumePrinter,
  }),
  row({
    type: kinds.persistentVolumeClaims,
    shortNames: ['pvc'],
    subresources: ['status'],
    strategy: persistentVolumeClaimStrategy,
    printer: persistentVolumeClaimPrinter,
  }),
  row({ type: kinds.podTemplates, strategy: podTemplateStrategy, printer: podTemplatePrinter }),
  row({
    type: kinds.replicationControllers,
    shortNames: ['rc'],
    categories: ['all'],
    subresources: ['status', 'scale'],
    strategy: replicationControllerStrategy,
    printer: replicationControllerPrinter,
  }),
  row({
    type: kinds.limitRanges,
    shortNames: ['limits'],
    strategy: limitRangeStrategy,
    printer: createdPrinter,
  }),
  row({
    type: kinds.resourceQuotas,
    shortNames: ['quota'],
    subresources: ['status'],
    strategy: resourceQuotaStrategy,
    printer: resourceQuotaPrinter,
  }),
  row({
    type: kinds.componentStatuses,
    singular: 'componentstatus',
    shortNames: ['cs'],
    verbs: ['get', 'list'],
    printer: componentStatusPrinter,
  }),
];
