/**
 * Every kind the API serves, one row each; discovery, routes, tables and the registry read nothing else. Pure data.
 */
import * as kinds from '../../src/api/kinds.js';
import type { KubeObject } from '../../src/api/types.js';
import { plainPrinter } from './printers/plain.js';
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

/** The rows, in the order in which discovery lists them. */
export function createResources(): readonly Resource[] {
  return [
    row({ type: kinds.namespaces, shortNames: ['ns'], subresources: ['status', 'finalize'] }),
    row({ type: kinds.nodes, shortNames: ['no'], subresources: ['status'] }),
    row({
      type: kinds.pods,
      shortNames: ['po'],
      categories: ['all'],
      subresources: ['status', 'binding', 'log', 'exec'],
    }),
    row({ type: kinds.services, shortNames: ['svc'], categories: ['all'], subresources: ['status'] }),
    row({ type: kinds.endpoints, singular: 'endpoints', shortNames: ['ep'] }),
    row({ type: kinds.configMaps, shortNames: ['cm'] }),
    row({ type: kinds.secrets }),
    row({ type: kinds.serviceAccounts, shortNames: ['sa'] }),
    row({ type: kinds.events, shortNames: ['ev'], storageTtlSeconds: 3600 }),
    row({
      type: kinds.deployments,
      shortNames: ['deploy'],
      categories: ['all'],
      subresources: ['status', 'scale'],
    }),
    row({
      type: kinds.replicaSets,
      shortNames: ['rs'],
      categories: ['all'],
      subresources: ['status', 'scale'],
    }),
    row({ type: kinds.endpointSlices }),
    row({ type: kinds.leases }),
    row({
      type: kinds.certificateSigningRequests,
      shortNames: ['csr'],
      subresources: ['status', 'approval'],
    }),
  ];
}
