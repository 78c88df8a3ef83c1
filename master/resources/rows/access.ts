/** Rows of rbac.authorization.k8s.io, authentication.k8s.io, authorization.k8s.io and certificates.k8s.io. */
import * as kinds from '../../../src/api/kinds.js';
import { csrStrategy } from '../../registry/kinds/csr.js';
import {
  clusterRoleBindingStrategy,
  clusterRoleStrategy,
  roleBindingStrategy,
  roleStrategy,
} from '../../registry/kinds/rbac.js';
import { bindingPrinter } from '../printers/access.js';
import { csrPrinter } from '../printers/core.js';
import { createdPrinter } from '../printers/plain.js';
import type { Resource } from '../resource.js';
import { row } from './row.js';

export const accessRows: readonly Resource[] = [
  row({ type: kinds.roles, strategy: roleStrategy, printer: createdPrinter }),
  row({ type: kinds.roleBindings, strategy: roleBindingStrategy, printer: bindingPrinter }),
  row({ type: kinds.clusterRoles, strategy: clusterRoleStrategy, printer: createdPrinter }),
  row({ type: kinds.clusterRoleBindings, strategy: clusterRoleBindingStrategy, printer: bindingPrinter }),
  row({
    type: kinds.certificateSigningRequests,
    shortNames: ['csr'],
    subresources: ['status', 'approval'],
    strategy: csrStrategy,
    printer: csrPrinter,
  }),
  ...answered('authentication.k8s.io/v1', ['TokenReview', 'SelfSubjectReview']),
  ...answered('authorization.k8s.io/v1', [
    'SubjectAccessReview',
    'SelfSubjectAccessReview',
    'SelfSubjectRulesReview',
  ]),
  ...answered('authorization.k8s.io/v1', ['LocalSubjectAccessReview'], true),
];

/** Questions: a POST gets the answer, nothing is stored. */
function answered(apiVersion: string, reviews: readonly string[], namespaced = false): Resource[] {
  return reviews.map((kind) =>
    row({
      type: kinds.resourceType(apiVersion, `${kind.toLowerCase()}s`, kind, namespaced),
      verbs: ['create'],
    }),
  );
}
