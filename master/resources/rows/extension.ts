/** Rows of admissionregistration.k8s.io, apiextensions.k8s.io and apiregistration.k8s.io. */
import * as kinds from '../../../src/api/kinds.js';
import { definitionStrategy } from '../../registry/kinds/customresourcedefinition.js';
import { definitionPrinter } from '../printers/custom.js';
import type { Resource } from '../resource.js';
import { row } from './row.js';

const extension = { categories: ['api-extensions'] };

export const extensionRows: readonly Resource[] = [
  row({ type: kinds.mutatingWebhookConfigurations, ...extension }),
  row({ type: kinds.validatingWebhookConfigurations, ...extension }),
  row({ type: kinds.validatingAdmissionPolicies, ...extension, subresources: ['status'] }),
  row({ type: kinds.validatingAdmissionPolicyBindings, ...extension }),
  row({ type: kinds.mutatingAdmissionPolicies, ...extension }),
  row({ type: kinds.mutatingAdmissionPolicyBindings, ...extension }),
  row({
    type: kinds.customResourceDefinitions,
    shortNames: ['crd', 'crds'],
    ...extension,
    subresources: ['status'],
    strategy: definitionStrategy,
    printer: definitionPrinter,
  }),
  row({ type: kinds.apiServices, ...extension, subresources: ['status'] }),
];
