/** Rows of networking.k8s.io and discovery.k8s.io, and the Ingress of extensions. */
import * as kinds from '../../../src/api/kinds.js';
import { endpointSliceStrategy } from '../../registry/kinds/endpoints.js';
import { endpointSlicePrinter } from '../printers/service.js';
import type { Resource } from '../resource.js';
import { row } from './row.js';

export const networkRows: readonly Resource[] = [
  row({ type: kinds.ingresses, shortNames: ['ing'], subresources: ['status'] }),
  row({ type: kinds.ingressClasses }),
  row({ type: kinds.networkPolicies, shortNames: ['netpol'] }),
  row({ type: kinds.ipAddresses, shortNames: ['ip'] }),
  row({ type: kinds.serviceCidrs, subresources: ['status'] }),
  row({ type: kinds.endpointSlices, strategy: endpointSliceStrategy, printer: endpointSlicePrinter }),
];
