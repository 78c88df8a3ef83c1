/**
 * Every kind the API serves, one row each; discovery, routes, tables and the registry read nothing else. Pure data.
 */
import * as kinds from '../../src/api/kinds.js';
import type { KubeObject } from '../../src/api/types.js';
import { configMapStrategy } from '../registry/kinds/configmap.js';
import { csrStrategy } from '../registry/kinds/csr.js';
import { deploymentStrategy } from '../registry/kinds/deployment.js';
import { endpointSliceStrategy, endpointsStrategy } from '../registry/kinds/endpoints.js';
import { namespaceStrategy } from '../registry/kinds/namespace.js';
import { nodeStrategy } from '../registry/kinds/node.js';
import { podStrategy } from '../registry/kinds/pod.js';
import { replicaSetStrategy } from '../registry/kinds/replicaset.js';
import { secretStrategy } from '../registry/kinds/secret.js';
import { serviceStrategy } from '../registry/kinds/service.js';
import { eventStrategy, leaseStrategy, serviceAccountStrategy } from '../registry/kinds/small.js';
import {
  configMapPrinter,
  csrPrinter,
  eventPrinter,
  leasePrinter,
  namespacePrinter,
  secretPrinter,
  serviceAccountPrinter,
} from './printers/core.js';
import { nodePrinter } from './printers/node.js';
import { plainPrinter } from './printers/plain.js';
import { podPrinter } from './printers/pod.js';
import { endpointSlicePrinter, endpointsPrinter, servicePrinter } from './printers/service.js';
import { deploymentPrinter, replicaSetPrinter } from './printers/workload.js';
import type { Resource } from './resource.js';

interface Row<T extends KubeObject> extends Partial<Omit<Resource<T>, 'type'>> {
  type: Resource<T>['type'];
}

const row = <T extends KubeObject>(given: Row<T>): Resource<T> => ({
  singular: given.type.kind.toLowerCase(),
  shortNames: [],
  categories: [],
  subresources: [],
  strategy: {},
  printer: plainPrinter,
  ...given,
});

/**
 * The rows, in the order in which discovery lists them. Pods that say nothing of it tolerate a node that is not ready for
 * `evictionSeconds`.
 */
export function createResources(evictionSeconds = 300): readonly Resource[] {
  return [
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
      subresources: ['status'],
      strategy: nodeStrategy,
      printer: nodePrinter,
    }),
    row({
      type: kinds.pods,
      shortNames: ['po'],
      categories: ['all'],
      subresources: ['status', 'binding', 'log', 'exec', 'attach'],
      strategy: podStrategy(evictionSeconds),
      printer: podPrinter,
    }),
    row({
      type: kinds.services,
      shortNames: ['svc'],
      categories: ['all'],
      subresources: ['status'],
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
      strategy: serviceAccountStrategy,
      printer: serviceAccountPrinter,
    }),
    row({
      type: kinds.events,
      shortNames: ['ev'],
      storageTtlSeconds: 3600,
      strategy: eventStrategy,
      printer: eventPrinter,
    }),
    row({
      type: kinds.deployments,
      shortNames: ['deploy'],
      categories: ['all'],
      subresources: ['status', 'scale'],
      strategy: deploymentStrategy,
      printer: deploymentPrinter,
    }),
    row({
      type: kinds.replicaSets,
      shortNames: ['rs'],
      categories: ['all'],
      subresources: ['status', 'scale'],
      strategy: replicaSetStrategy,
      printer: replicaSetPrinter,
    }),
    row({ type: kinds.endpointSlices, strategy: endpointSliceStrategy, printer: endpointSlicePrinter }),
    row({ type: kinds.leases, strategy: leaseStrategy, printer: leasePrinter }),
    row({
      type: kinds.certificateSigningRequests,
      shortNames: ['csr'],
      subresources: ['status', 'approval'],
      strategy: csrStrategy,
      printer: csrPrinter,
    }),
  ];
}
