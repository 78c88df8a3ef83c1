/** Rows of events.k8s.io, coordination.k8s.io, storage.k8s.io, scheduling.k8s.io and node.k8s.io. */
import * as kinds from '../../../src/api/kinds.js';
import { leaseStrategy } from '../../registry/kinds/small.js';
import { leasePrinter } from '../printers/core.js';
import type { Resource } from '../resource.js';
import { row } from './row.js';

export const clusterRows: readonly Resource[] = [
  row({ type: kinds.leases, strategy: leaseStrategy, printer: leasePrinter }),
  row({ type: kinds.storageClasses, shortNames: ['sc'] }),
  row({ type: kinds.volumeAttachments, subresources: ['status'] }),
  row({ type: kinds.csiDrivers }),
  row({ type: kinds.csiNodes }),
  row({ type: kinds.csiStorageCapacities }),
  row({ type: kinds.volumeAttributesClasses, shortNames: ['vac'] }),
  row({ type: kinds.priorityClasses, shortNames: ['pc'] }),
  row({ type: kinds.runtimeClasses }),
];
