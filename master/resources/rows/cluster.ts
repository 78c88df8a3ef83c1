/** Rows of events.k8s.io, coordination.k8s.io, storage.k8s.io, scheduling.k8s.io and node.k8s.io. */
import * as kinds from '../../../src/api/kinds.js';
import {
  csiDriverStrategy,
  csiNodeStrategy,
  csiStorageCapacityStrategy,
  volumeAttachmentStrategy,
} from '../../registry/kinds/csi.js';
import { leaseStrategy } from '../../registry/kinds/small.js';
import { storageClassStrategy, volumeAttributesClassStrategy } from '../../registry/kinds/storageclass.js';
import { leasePrinter } from '../printers/core.js';
import {
  csiDriverPrinter,
  csiNodePrinter,
  csiStorageCapacityPrinter,
  storageClassPrinter,
  volumeAttachmentPrinter,
  volumeAttributesClassPrinter,
} from '../printers/storage.js';
import type { Resource } from '../resource.js';
import { row } from './row.js';

export const clusterRows: readonly Resource[] = [
  row({ type: kinds.leases, strategy: leaseStrategy, printer: leasePrinter }),
  row({
    type: kinds.storageClasses,
    shortNames: ['sc'],
    strategy: storageClassStrategy,
    printer: storageClassPrinter,
  }),
  row({
    type: kinds.volumeAttachments,
    subresources: ['status'],
    strategy: volumeAttachmentStrategy,
    printer: volumeAttachmentPrinter,
  }),
  row({ type: kinds.csiDrivers, strategy: csiDriverStrategy, printer: csiDriverPrinter }),
  row({ type: kinds.csiNodes, strategy: csiNodeStrategy, printer: csiNodePrinter }),
  row({
    type: kinds.csiStorageCapacities,
    strategy: csiStorageCapacityStrategy,
    printer: csiStorageCapacityPrinter,
  }),
  row({
    type: kinds.volumeAttributesClasses,
    shortNames: ['vac'],
    strategy: volumeAttributesClassStrategy,
    printer: volumeAttributesClassPrinter,
  }),
  row({ type: kinds.priorityClasses, shortNames: ['pc'] }),
  row({ type: kinds.runtimeClasses }),
];
