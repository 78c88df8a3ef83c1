/** The strategies of roles and their bindings. Pure. Rules, paths and wording as kube-apiserver has them. */
import type { FieldError } from '../../../src/api/errors.js';
import { dnsSubdomainErrors } from '../../../src/api/names.js';
import type {
  ClusterRole,
  ClusterRoleBinding,
  PolicyRule,
  Role,
  RoleBinding,
  RoleRef,
  Subject,
} from '../../../src/api/types.js';
import { isSameJson } from '../codec.js';
import type { Strategy } from '../strategy.js';
import { allInvalid, invalidValue, notSupported, required } from '../validation/field.js';
import { pathSegmentErrors } from './names.js';
import { validateLabelSelector } from './selector.js';

const group = 'rbac.authorization.k8s.io';

const shared = {
  generation: false,
  allowCreateOnUpdate: true,
  validateName: (name: string) => pathSegmentErrors(name),
} as const;

export const roleStrategy: Strategy<Role> = {
  ...shared,
  validate: ({ rules }) => validateRules(rules, true),
};

export const clusterRoleStrategy: Strategy<ClusterRole> = {
  ...shared,
  validate: ({ rules, aggregationRule }) => {
    const errors = validateRules(rules, false);
    if (!aggregationRule) return errors;
    const field = 'aggregationRule.clusterRoleSelectors';
    const selectors = aggregationRule.clusterRoleSelectors ?? [];
    if (selectors.length === 0) {
      const detail = 'at least one clusterRoleSelector required if aggregationRule is non-nil';
      return [...errors, required(field, detail)];
    }
    return [
      ...errors,
      ...selectors.flatMap((selector, index) => validateLabelSelector(`${field}[${index}]`, selector)),
    ];
  },
};

const validateRules = (rules: readonly PolicyRule[] | undefined, isNamespaced: boolean): FieldError[] =>
  (rules ?? []).flatMap((rule, index) => validateRule(`rules[${index}]`, rule, isNamespaced));

function validateRule(path: string, rule: PolicyRule, isNamespaced: boolean): FieldError[] {
  const { verbs = [], apiGroups = [], resources = [], resourceNames = [], nonResourceURLs = [] } = rule;
  const errors: FieldError[] =
    verbs.length === 0 ? [required(`${path}.verbs`, 'verbs must contain at least one value')] : [];
  if (nonResourceURLs.length > 0) {
    const invalid = (detail: string) =>
      errors.push(invalidValue(`${path}.nonResourceURLs`, nonResourceURLs, detail));
    if (isNamespaced) invalid('namespaced rules cannot apply to non-resource URLs');
    if (apiGroups.length + resources.length + resourceNames.length > 0)
      invalid('rules cannot apply to both regular resources and non-resource URLs');
    return errors;
  }
  if (apiGroups.length === 0)
    errors.push(required(`${path}.apiGroups`, 'resource rules must supply at least one api group'));
  if (resources.length === 0)
    errors.push(required(`${path}.resources`, 'resource rules must supply at least one resource'));
  return errors;
}

export const roleBindingStrategy: Strategy<RoleBinding> = {
  ...shared,
  validate: ({ roleRef, subjects }) => [
    ...validateRoleRef(roleRef, ['Role', 'ClusterRole']),
    ...validateSubjects(subjects, true),
  ],
  validateUpdate: ({ roleRef }, old) => validateSameRole(roleRef, old.roleRef),
};

export const clusterRoleBindingStrategy: Strategy<ClusterRoleBinding> = {
  ...shared,
  validate: ({ roleRef, subjects }) => [
    ...validateRoleRef(roleRef, ['ClusterRole']),
    ...validateSubjects(subjects, false),
  ],
  validateUpdate: ({ roleRef }, old) => validateSameRole(roleRef, old.roleRef),
};

function validateRoleRef(roleRef: RoleRef | undefined, kinds: readonly string[]): FieldError[] {
  const { apiGroup = '', kind = '', name = '' } = roleRef ?? {};
  return [
    ...(apiGroup === group ? [] : [notSupported('roleRef.apiGroup', apiGroup, [group])]),
    ...(kinds.includes(kind) ? [] : [notSupported('roleRef.kind', kind, kinds)]),
    ...(name ? allInvalid('roleRef.name', name, pathSegmentErrors(name)) : [required('roleRef.name')]),
  ];
}

function validateSameRole(now: RoleRef | undefined, old: RoleRef | undefined): FieldError[] {
  if (isSameJson(now, old)) return [];
  const valueText = JSON.stringify({ APIGroup: now?.apiGroup, Kind: now?.kind, Name: now?.name });
  return [{ ...invalidValue('roleRef', now, 'cannot change roleRef'), valueText }];
}

const validateSubjects = (subjects: readonly Subject[] | undefined, isNamespaced: boolean): FieldError[] =>
  (subjects ?? []).flatMap((subject, index) => validateSubject(`subjects[${index}]`, subject, isNamespaced));

function validateSubject(path: string, subject: Subject, isNamespaced: boolean): FieldError[] {
  const { kind = '', apiGroup = '', name = '', namespace } = subject;
  const errors: FieldError[] = name ? [] : [required(`${path}.name`)];
  const needs = (wanted: string) =>
    apiGroup === wanted ? [] : [notSupported(`${path}.apiGroup`, apiGroup, [wanted])];
  switch (kind) {
    case 'ServiceAccount':
      return [
        ...errors,
        ...(name ? allInvalid(`${path}.name`, name, dnsSubdomainErrors(name)) : []),
        ...needs(''),
        ...(isNamespaced || namespace ? [] : [required(`${path}.namespace`)]),
      ];
    case 'User':
    case 'Group':
      return [...errors, ...needs(group)];
    default:
      return [...errors, notSupported(`${path}.kind`, kind, ['ServiceAccount', 'User', 'Group'])];
  }
}
