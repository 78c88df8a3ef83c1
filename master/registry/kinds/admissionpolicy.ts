/**
 * Strategies of ValidatingAdmissionPolicy, MutatingAdmissionPolicy and their bindings: defaults, and validation with the
 * paths and words of kube-apiserver. What policies do is in `master/admission/`.
 */
import type { ObjectShape } from '../../../src/api/cel/program.js';
import type { FieldError } from '../../../src/api/errors.js';
import { labelKeyErrors } from '../../../src/api/names.js';
import type {
  KubeObject,
  MatchCondition,
  MatchResources,
  MutatingAdmissionPolicy,
  MutatingAdmissionPolicyBinding,
  Mutation,
  ParamKind,
  ParamRef,
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicyBinding,
  Validation,
  Variable,
} from '../../../src/api/types.js';
import { shapeOf } from '../../admission/composition.js';
import { conditionVariables, policyVariables } from '../../admission/expressions.js';
import type { Strategy } from '../strategy.js';
import { allInvalid, duplicate, forbiddenField, invalidValue, oneOf, required } from '../validation/field.js';
import {
  failurePolicies,
  matchPolicies,
  reinvocationPolicies,
  validateExpression,
  validateMatchConditions,
  validateRule,
  withScope,
} from './admissionrule.js';
import { validateLabelSelector } from './selector.js';

const actions = ['Audit', 'Deny', 'Warn'];
const patchTypes = ['ApplyConfiguration', 'JSONPatch'];
const notFoundActions = ['Allow', 'Deny'];
const reasons = ['Forbidden', 'Invalid', 'RequestEntityTooLarge', 'Unauthorized'];
/** What mutating policies may match: nothing changes an object that goes. */
const mutatingOperations = ['*', 'CONNECT', 'CREATE', 'UPDATE'];
const allOperations = ['*', 'CONNECT', 'CREATE', 'DELETE', 'UPDATE'];
const identifier = /^[_a-zA-Z][_a-zA-Z0-9]*$/;
const maxAnnotationKey = 63;
const maxAnnotationBytes = 5 * 1024;

const resourcesWithDefaults = (given: MatchResources | undefined): MatchResources | undefined =>
  given && {
    ...given,
    matchPolicy: given.matchPolicy ?? 'Equivalent',
    namespaceSelector: given.namespaceSelector ?? {},
    objectSelector: given.objectSelector ?? {},
    ...(given.resourceRules && { resourceRules: given.resourceRules.map(withScope) }),
    ...(given.excludeResourceRules && { excludeResourceRules: given.excludeResourceRules.map(withScope) }),
  };

type PolicySpec = NonNullable<ValidatingAdmissionPolicy['spec'] | MutatingAdmissionPolicy['spec']>;
type BindingSpec = NonNullable<
  ValidatingAdmissionPolicyBinding['spec'] | MutatingAdmissionPolicyBinding['spec']
>;

const policyDefaults = <S extends PolicySpec>(spec: S): S => ({
  ...spec,
  failurePolicy: spec.failurePolicy ?? 'Fail',
  matchConstraints: resourcesWithDefaults(spec.matchConstraints),
});

const bindingDefaults = <O extends KubeObject & { spec?: BindingSpec | undefined }>(object: O): O =>
  object.spec
    ? {
        ...object,
        spec: { ...object.spec, matchResources: resourcesWithDefaults(object.spec.matchResources) },
      }
    : object;

export const validatingPolicyStrategy: Strategy<ValidatingAdmissionPolicy> = {
  default: (object) => (object.spec ? { ...object, spec: policyDefaults(object.spec) } : object),
  validate: ({ spec = {} }) => [
    ...validatePolicy(spec, allOperations),
    ...validateValidations(spec),
    ...validateAnnotations(spec),
  ],
};

export const mutatingPolicyStrategy: Strategy<MutatingAdmissionPolicy> = {
  default: (object) =>
    object.spec
      ? {
          ...object,
          spec: {
            ...policyDefaults(object.spec),
            reinvocationPolicy: object.spec.reinvocationPolicy ?? 'Never',
          },
        }
      : object,
  validate: ({ spec = {} }) => [
    ...validatePolicy(spec, mutatingOperations),
    ...validateMutations(spec),
    ...oneOf('spec.reinvocationPolicy', spec.reinvocationPolicy, reinvocationPolicies),
  ],
};

export const validatingBindingStrategy: Strategy<ValidatingAdmissionPolicyBinding> = {
  default: bindingDefaults,
  validate: ({ spec = {} }) => [...validateBinding(spec), ...validateActions(spec.validationActions ?? [])],
};

export const mutatingBindingStrategy: Strategy<MutatingAdmissionPolicyBinding> = {
  default: bindingDefaults,
  validate: ({ spec = {} }) => validateBinding(spec),
};

function validatePolicy(spec: PolicySpec, operations: readonly string[]): FieldError[] {
  const { paramKind, matchConstraints, failurePolicy } = spec;
  const hasParams = paramKind !== undefined;
  return [
    ...oneOf('spec.failurePolicy', failurePolicy, failurePolicies),
    ...(paramKind ? validateParamKind('spec.paramKind', paramKind) : []),
    ...validateConstraints('spec.matchConstraints', matchConstraints, operations),
    ...validateMatchConditions(
      'spec.matchConditions',
      spec.matchConditions as MatchCondition[] | undefined,
      hasParams ? [...conditionVariables, 'params'] : conditionVariables,
    ),
    ...validateVariables(spec.variables ?? [], policyVariables(hasParams)),
  ];
}

function validateParamKind(path: string, { apiVersion = '', kind = '' }: ParamKind): FieldError[] {
  const errors: FieldError[] = [];
  if (apiVersion === '') errors.push(required(`${path}.apiVersion`));
  else if (apiVersion.split('/').length > 2) {
    const detail = `unexpected GroupVersion string: ${apiVersion}`;
    errors.push(invalidValue(`${path}.apiVersion`, apiVersion, detail));
  }
  if (kind === '') errors.push(required(`${path}.kind`));
  else if (!/^[A-Za-z]([-A-Za-z0-9]*[A-Za-z0-9])?$/.test(kind)) {
    const detail = "a DNS-1035 label must consist of lower case alphanumeric characters or '-'";
    errors.push(
      invalidValue(`${path}.kind`, kind, `may have mixed case, but should otherwise match: ${detail}`),
    );
  }
  return errors;
}

function validateConstraints(
  path: string,
  given: MatchResources | undefined,
  operations: readonly string[],
): FieldError[] {
  if (!given) return [required(path)];
  const errors = validateMatchResources(path, given, operations);
  return given.resourceRules?.length ? errors : [...errors, required(`${path}.resourceRules`)];
}

function validateMatchResources(
  path: string,
  given: MatchResources,
  operations: readonly string[],
): FieldError[] {
  const rules = (field: 'resourceRules' | 'excludeResourceRules'): FieldError[] =>
    (given[field] ?? []).flatMap((rule, index) => {
      const at = `${path}.${field}[${index}]`;
      const names = rule.resourceNames ?? [];
      const repeated = names.flatMap((name, i) =>
        names.indexOf(name) < i ? [duplicate(`${at}.resourceNames[${i}]`, name)] : [],
      );
      return [...validateRule(at, rule, operations), ...repeated];
    });
  return [
    ...oneOf(`${path}.matchPolicy`, given.matchPolicy, matchPolicies),
    ...validateLabelSelector(`${path}.namespaceSelector`, given.namespaceSelector),
    ...validateLabelSelector(`${path}.objectSelector`, given.objectSelector),
    ...rules('resourceRules'),
    ...rules('excludeResourceRules'),
  ];
}

/** Each may use those before it. */
function validateVariables(variables: readonly Variable[], names: readonly string[]): FieldError[] {
  const seen: string[] = [];
  return variables.flatMap(({ name = '', expression = '' }, index) => {
    const at = `spec.variables[${index}]`;
    const composition = compositionOf(seen);
    const errors: FieldError[] = [];
    if (name === '') errors.push(required(`${at}.name`, 'name is not specified'));
    else if (!identifier.test(name))
      errors.push(invalidValue(`${at}.name`, name, 'name is not a valid CEL identifier'));
    else if (seen.includes(name)) errors.push(duplicate(`${at}.name`, name));
    errors.push(...validateExpression(`${at}.expression`, expression, { variables: names, composition }));
    if (name !== '') seen.push(name);
    return errors;
  });
}

const compositionOf = (names: readonly string[]): ObjectShape | undefined =>
  names.length > 0 ? shapeOf(names) : undefined;

const namesOf = (variables: readonly Variable[] | undefined): string[] =>
  (variables ?? []).map(({ name }) => name);

function validateValidations(spec: NonNullable<ValidatingAdmissionPolicy['spec']>): FieldError[] {
  const { validations = [], auditAnnotations = [], paramKind } = spec;
  if (validations.length === 0 && auditAnnotations.length === 0) {
    const detail = 'validations or auditAnnotations must be provided';
    return [required('spec.validations', detail), required('spec.auditAnnotations', detail)];
  }
  const variables = policyVariables(paramKind !== undefined);
  const composition = compositionOf(namesOf(spec.variables));
  return validations.flatMap((validation, index) =>
    validateValidation(`spec.validations[${index}]`, validation, { variables, composition }),
  );
}

function validateValidation(
  path: string,
  { expression = '', message = '', messageExpression = '', reason }: Validation,
  { variables, composition }: { variables: readonly string[]; composition: ObjectShape | undefined },
): FieldError[] {
  const errors = validateExpression(`${path}.expression`, expression, {
    variables,
    composition,
    result: 'bool',
  });
  if (messageExpression.trim() !== '') {
    errors.push(
      ...validateExpression(`${path}.messageExpression`, messageExpression, {
        variables: variables.filter((name) => name !== 'authorizer'),
        composition,
        result: 'string',
      }),
    );
  }
  if (message !== '' && message.trim() === '')
    errors.push(invalidValue(`${path}.message`, message, 'message must be non-empty if specified'));
  else if (message.trim().includes('\n'))
    errors.push(invalidValue(`${path}.message`, message, 'message must not contain line breaks'));
  else if (expression.trim().includes('\n') && message === '')
    errors.push(required(`${path}.message`, 'message must be specified if expression contains line breaks'));
  return [...errors, ...oneOf(`${path}.reason`, reason, reasons)];
}

function validateAnnotations(spec: NonNullable<ValidatingAdmissionPolicy['spec']>): FieldError[] {
  const variables = policyVariables(spec.paramKind !== undefined);
  const composition = compositionOf(namesOf(spec.variables));
  const seen = new Set<string>();
  return (spec.auditAnnotations ?? []).flatMap(({ key = '', valueExpression = '' }, index) => {
    const at = `spec.auditAnnotations[${index}]`;
    const errors: FieldError[] = [];
    if (key === '') errors.push(required(`${at}.key`));
    else if (key.length > maxAnnotationKey || key.includes('/'))
      errors.push(invalidValue(`${at}.key`, key, 'must be a qualified name of at most 63 characters'));
    else errors.push(...allInvalid(`${at}.key`, key, labelKeyErrors(key)));
    if (seen.has(key)) errors.push(duplicate(`${at}.key`, key));
    seen.add(key);
    if (Buffer.byteLength(valueExpression) > maxAnnotationBytes) {
      const detail = `may not be more than ${maxAnnotationBytes} bytes`;
      return [...errors, { type: 'TooLong', field: `${at}.valueExpression`, detail }];
    }
    return [
      ...errors,
      ...validateExpression(`${at}.valueExpression`, valueExpression, { variables, composition }),
    ];
  });
}

function validateMutations(spec: NonNullable<MutatingAdmissionPolicy['spec']>): FieldError[] {
  const { mutations = [], paramKind } = spec;
  if (mutations.length === 0) return [required('spec.mutations', 'mutations must contain at least one item')];
  const variables = policyVariables(paramKind !== undefined);
  const composition = compositionOf(namesOf(spec.variables));
  return mutations.flatMap((mutation, index) =>
    validateMutation(`spec.mutations[${index}]`, mutation, { variables, composition, allowsObjects: true }),
  );
}

function validateMutation(
  path: string,
  { patchType, applyConfiguration, jsonPatch }: Mutation,
  options: { variables: readonly string[]; composition: ObjectShape | undefined; allowsObjects: boolean },
): FieldError[] {
  if (!patchType) return [required(`${path}.patchType`)];
  const wrongType = oneOf(`${path}.patchType`, patchType, patchTypes);
  if (wrongType.length > 0) return wrongType;
  const [own, other, name, otherName] =
    patchType === 'JSONPatch'
      ? [jsonPatch, applyConfiguration, 'jsonPatch', 'applyConfiguration']
      : [applyConfiguration, jsonPatch, 'applyConfiguration', 'jsonPatch'];
  const errors: FieldError[] = [];
  if (other) {
    const detail = `must not be specified when patchType is ${patchType}`;
    errors.push(invalidValue(`${path}.${otherName}`, '{...}', detail));
  }
  if (!own) {
    const detail = `must be specified when patchType is ${patchType}`;
    return [...errors, required(`${path}.${name}`, detail)];
  }
  return [...errors, ...validateExpression(`${path}.${name}.expression`, own.expression ?? '', options)];
}

function validateBinding({ policyName = '', paramRef, matchResources }: BindingSpec): FieldError[] {
  return [
    ...(policyName === '' ? [required('spec.policyName')] : []),
    ...(paramRef ? validateParamRef('spec.paramRef', paramRef) : []),
    ...(matchResources ? validateMatchResources('spec.matchResources', matchResources, allOperations) : []),
  ];
}

function validateParamRef(path: string, { name, selector, parameterNotFoundAction }: ParamRef): FieldError[] {
  const errors: FieldError[] = [];
  if (name && selector) {
    errors.push(forbiddenField(`${path}.name`, 'name and selector are mutually exclusive'));
    errors.push(forbiddenField(`${path}.selector`, 'name and selector are mutually exclusive'));
  } else if (!name && !selector) {
    errors.push(required(path, 'one of name or selector must be specified'));
  }
  if (selector) errors.push(...validateLabelSelector(`${path}.selector`, selector));
  if (!parameterNotFoundAction)
    errors.push(required(`${path}.parameterNotFoundAction`, 'parameterNotFoundAction is required'));
  else errors.push(...oneOf(`${path}.parameterNotFoundAction`, parameterNotFoundAction, notFoundActions));
  return errors;
}

function validateActions(given: readonly string[]): FieldError[] {
  const field = 'spec.validationActions';
  if (given.length === 0) return [required(field, 'must contain at least one item')];
  const errors = given.flatMap((action, index) =>
    given.indexOf(action) < index
      ? [duplicate(`${field}[${index}]`, action)]
      : oneOf(`${field}[${index}]`, action, actions),
  );
  if (given.includes('Deny') && given.includes('Warn')) {
    const detail =
      'must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers serves no purpose)';
    errors.push(invalidValue(field, given, detail));
  }
  return errors;
}
