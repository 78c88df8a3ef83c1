/** Rows of events.k8s.io, coordination.k8s.io, storage.k8s.io, scheduling.k8s.io and node.k8s.io. */
import * as kinds from '../../../src/api/kinds.js';
import {
  csiDriverStrategy,
  csiNodeStrategy,
  csiStorageCapacityStrategy,
  volumeAttachmentStrategy,
} from '../../registry/kinds/csi.js';
import { priorityClassStrategy, runtimeClassStrategy } from '../../registry/kinds/scheduling.js';
import { leaseStrategy } from '../../registry/kinds/small.js';
import { storageClassStrategy, volumeAttributesClassStrategy } from '../../registry/kinds/storageclass.js';
import { priorityClassPrinter, runtimeClassPrinter } from '../printers/access.js';
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
import { eventErrors, eventFieldLabels, eventFromStored, eventToStored } from '../versions/event.js';
import { eventRow } from './core.js';
import { row, viewRow } from './row.js';

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
  row({
    type: kinds.priorityClasses,
    singular: 'priorityclass',
    shortNames: ['pc'],
    strategy: priorityClassStrategy,
    printer: priorityClassPrinter,
  }),
  row({ type: kinds.runtimeClasses, strategy: runtimeClassStrategy, printer: runtimeClassPrinter }),
  ...['v1', 'v1beta1'].map((version) => {
    const apiVersion = `events.k8s.io/${version}`;
    return viewRow(eventRow as Resource, {
      type: kinds.resourceType(apiVersion, 'events', 'Event', true),
      toStored: eventToStored,
      fromStored: (object) => eventFromStored(apiVersion, object),
      fieldLabels: eventFieldLabels,
      ...(version === 'v1' && { validate: eventErrors }),
    });
  }),
];
