/** Rows of admissionregistration.k8s.io, apiextensions.k8s.io and apiregistration.k8s.io. */
import * as kinds from '../../../src/api/kinds.js';
import {
  mutatingBindingStrategy,
  mutatingPolicyStrategy,
  validatingBindingStrategy,
  validatingPolicyStrategy,
} from '../../registry/kinds/admissionpolicy.js';
import { apiServiceStrategy } from '../../registry/kinds/apiservice.js';
import { definitionStrategy } from '../../registry/kinds/customresourcedefinition.js';
import {
  mutatingWebhookStrategy,
  validatingWebhookStrategy,
} from '../../registry/kinds/webhookconfiguration.js';
import { definitionPrinter } from '../printers/custom.js';
import {
  apiServicePrinter,
  mutatingPolicyPrinter,
  policyBindingPrinter,
  validatingPolicyPrinter,
  webhookPrinter,
} from '../printers/extension.js';
import type { Resource } from '../resource.js';
import { row } from './row.js';

const extension = { categories: ['api-extensions'] };

export const extensionRows: readonly Resource[] = [
  row({
    type: kinds.mutatingWebhookConfigurations,
    ...extension,
    strategy: mutatingWebhookStrategy,
    printer: webhookPrinter,
  }),
  row({
    type: kinds.validatingWebhookConfigurations,
    ...extension,
    strategy: validatingWebhookStrategy,
    printer: webhookPrinter,
  }),
  row({
    type: kinds.validatingAdmissionPolicies,
    ...extension,
    subresources: ['status'],
    strategy: validatingPolicyStrategy,
    printer: validatingPolicyPrinter,
  }),
  row({
    type: kinds.validatingAdmissionPolicyBindings,
    ...extension,
    strategy: validatingBindingStrategy,
    printer: policyBindingPrinter,
  }),
  row({
    type: kinds.mutatingAdmissionPolicies,
    ...extension,
    strategy: mutatingPolicyStrategy,
    printer: mutatingPolicyPrinter,
  }),
  row({
    type: kinds.mutatingAdmissionPolicyBindings,
    ...extension,
    strategy: mutatingBindingStrategy,
    printer: policyBindingPrinter,
  }),
  row({
    type: kinds.customResourceDefinitions,
    shortNames: ['crd', 'crds'],
    ...extension,
    subresources: ['status'],
    strategy: definitionStrategy,
    printer: definitionPrinter,
  }),
  row({
    type: kinds.apiServices,
    ...extension,
    subresources: ['status'],
    strategy: apiServiceStrategy,
    printer: apiServicePrinter,
  }),
];
