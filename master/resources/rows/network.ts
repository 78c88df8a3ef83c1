/** Rows of networking.k8s.io and discovery.k8s.io, and the Ingress of extensions. */
import * as kinds from '../../../src/api/kinds.js';
import { endpointSliceStrategy } from '../../registry/kinds/endpoints.js';
import { ingressClassStrategy, ingressStrategy } from '../../registry/kinds/ingress.js';
import { networkPolicyStrategy } from '../../registry/kinds/networkpolicy.js';
import { ipAddressStrategy, serviceCidrStrategy } from '../../registry/kinds/serviceip.js';
import {
  ingressClassPrinter,
  ingressPrinter,
  ipAddressPrinter,
  networkPolicyPrinter,
  serviceCidrPrinter,
} from '../printers/network.js';
import { endpointSlicePrinter } from '../printers/service.js';
import type { Resource } from '../resource.js';
import { sliceFromStored, sliceToStored } from '../versions/endpointslice.js';
import { ingressErrors, ingressFromStored, ingressToStored, inVersion } from '../versions/ingress.js';
import { row, viewRow } from './row.js';

const ingresses = row({
  type: kinds.ingresses,
  shortNames: ['ing'],
  subresources: ['status'],
  strategy: ingressStrategy,
  printer: ingressPrinter,
}) as Resource;

const ingressClasses = row({
  type: kinds.ingressClasses,
  singular: 'ingressclass',
  strategy: ingressClassStrategy,
  printer: ingressClassPrinter,
}) as Resource;

const endpointSlices = row({
  type: kinds.endpointSlices,
  strategy: endpointSliceStrategy,
  printer: endpointSlicePrinter,
}) as Resource;

const oldIngress = (apiVersion: string): Resource =>
  viewRow(ingresses, {
    type: kinds.resourceType(apiVersion, 'ingresses', 'Ingress', true),
    toStored: ingressToStored,
    fromStored: (object) => ingressFromStored(apiVersion, object),
    validate: ingressErrors,
  });

const beta = 'networking.k8s.io/v1beta1';

export const networkRows: readonly Resource[] = [
  ingresses,
  ingressClasses,
  row({
    type: kinds.networkPolicies,
    shortNames: ['netpol'],
    strategy: networkPolicyStrategy,
    printer: networkPolicyPrinter,
  }),
  row({
    type: kinds.ipAddresses,
    shortNames: ['ip'],
    strategy: ipAddressStrategy,
    printer: ipAddressPrinter,
  }),
  row({
    type: kinds.serviceCidrs,
    subresources: ['status'],
    strategy: serviceCidrStrategy,
    printer: serviceCidrPrinter,
  }),
  oldIngress(beta),
  viewRow(ingressClasses, {
    type: kinds.resourceType(beta, 'ingressclasses', 'IngressClass', false),
    toStored: inVersion('networking.k8s.io/v1'),
    fromStored: inVersion(beta),
  }),
  // Without the short name: kubectl would say each time that it could mean this one too.
  { ...oldIngress('extensions/v1beta1'), shortNames: [] },
  endpointSlices,
  viewRow(endpointSlices, {
    type: kinds.resourceType('discovery.k8s.io/v1beta1', 'endpointslices', 'EndpointSlice', true),
    toStored: sliceToStored,
    fromStored: sliceFromStored,
  }),
];
