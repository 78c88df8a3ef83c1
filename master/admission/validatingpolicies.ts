/**
 * 2. ValidatingAdmissionPolicy: every binding that matches evaluates its policy, once per parameter; what is false is
 * denied, warned of or audited, as the binding says. A policy that cannot be evaluated denies, or not, as it says itself.
 */

import { toCel } from '../../src/api/cel/program.js';
import { ApiError, type Reason } from '../../src/api/errors.js';
import type {
  AuditAnnotation,
  KubeObject,
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicyBinding,
  Validation,
} from '../../src/api/types.js';
import type { Resource } from '../resources/resource.js';
import type { Composition, Evaluation, Values } from './composition.js';
import {
  compileExpression,
  type Expression,
  newBudget,
  OutOfBudget,
  policyVariables,
} from './expressions.js';
import type { Matching } from './matching.js';
import { collectParams, type ParamReader } from './params.js';
import { type Binding, Policies, type Policy } from './policies.js';
import type { Subject } from './subject.js';
import { type AuthorizerFunction, variablesOf } from './variables.js';

interface CompiledValidation {
  given: Validation;
  expression: Expression;
  message: Expression | undefined;
}

interface Compiled {
  validations: readonly CompiledValidation[];
  annotations: readonly { key: string; source: string; value: Expression }[];
}

type ValidatingPolicy = Policy<ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding, Compiled>;
type ValidatingBinding = Binding<ValidatingAdmissionPolicyBinding>;

export type ValidatingPolicies = Policies<
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicyBinding,
  Compiled
>;

export interface PolicyDeps extends ParamReader {
  matching: Matching;
  authorize: AuthorizerFunction;
  /** For the audit log. */
  annotate(subject: Subject, key: string, value: string): void;
}

const maxMessageBytes = 5 * 1024;
const maxAnnotationBytes = 10 * 1024;
const failureKey = 'validation.policy.admission.k8s.io/validation_failure';

export const createValidatingPolicies = (): ValidatingPolicies => new Policies(compilePolicy);

function compilePolicy({ spec }: ValidatingAdmissionPolicy, { shape }: Composition): Compiled {
  const all = policyVariables(spec?.paramKind !== undefined);
  const withoutAuthorizer = all.filter((name) => name !== 'authorizer');
  const composition = shape;
  return {
    validations: (spec?.validations ?? []).map((given) => ({
      given,
      expression: compileExpression(given.expression, { variables: all, composition }),
      message: given.messageExpression
        ? compileExpression(given.messageExpression, { variables: withoutAuthorizer, composition })
        : undefined,
    })),
    annotations: (spec?.auditAnnotations ?? []).map(({ key, valueExpression }: AuditAnnotation) => ({
      key,
      source: valueExpression,
      value: compileExpression(valueExpression, { variables: all, composition }),
    })),
  };
}

/** One thing that is not as a policy wants it. */
interface Denial {
  message: string;
  reason: Reason | undefined;
  binding: ValidatingBinding | undefined;
  policy: ValidatingPolicy;
}

/** Rejects with the first denial, by policy and binding. */
export async function validateByPolicies(
  deps: PolicyDeps,
  policies: readonly ValidatingPolicy[],
  subject: Subject,
): Promise<void> {
  const denials: Denial[] = [];
  for (const policy of policies) denials.push(...(await denialsOf(deps, policy, subject)));
  const [first] = denials;
  if (first) throw refusal(subject, first);
}

async function denialsOf(deps: PolicyDeps, policy: ValidatingPolicy, subject: Subject): Promise<Denial[]> {
  const misconfigured = (error: unknown, binding?: ValidatingBinding): Denial[] => {
    if (!policy.failsClosed) return [];
    const message = `failed to configure ${binding ? 'binding' : 'policy'}: ${(error as Error).message}`;
    return [{ message, reason: undefined, binding, policy }];
  };
  let row: Resource | undefined;
  try {
    row = await deps.matching.match(policy.criteria, subject);
  } catch (error) {
    return misconfigured(error);
  }
  if (!row) return [];
  const denials: Denial[] = [];
  const annotations = new Map<string, Set<string>>();
  for (const binding of policy.bindings) {
    let params: (KubeObject | null)[];
    try {
      if (binding.criteria && !(await deps.matching.match(binding.criteria, subject))) continue;
      const { paramKind } = policy.object.spec ?? {};
      params = await collectParams(deps, paramKind, binding.object.spec?.paramRef, subject);
    } catch (error) {
      denials.push(...misconfigured(error, binding));
      continue;
    }
    for (const param of params) {
      const findings = await evaluate(deps, policy, subject, { row, param });
      denials.push(...enforced(deps, policy, binding, subject, findings));
      for (const [key, value] of findings.annotations)
        annotations.set(key, (annotations.get(key) ?? new Set()).add(value));
    }
  }
  for (const [key, values] of annotations)
    deps.annotate(subject, `${policy.name}/${key}`, [...values].join(', '));
  return denials;
}

interface Findings {
  failures: { index: number; message: string; reason: Reason | undefined }[];
  /** Of audit annotations: they deny whatever the binding's actions are. */
  errors: string[];
  annotations: [key: string, value: string][];
}

/** What the actions of a binding make of failed validations. */
function enforced(
  deps: PolicyDeps,
  policy: ValidatingPolicy,
  binding: ValidatingBinding,
  subject: Subject,
  { failures, errors }: Findings,
): Denial[] {
  const actions = binding.object.spec?.validationActions ?? [];
  const denials: Denial[] = [];
  for (const { index, message, reason } of failures) {
    if (actions.includes('Deny')) denials.push({ message, reason, binding, policy });
    if (actions.includes('Warn')) {
      const where = `ValidatingAdmissionPolicy '${policy.name}' with binding '${binding.name}'`;
      subject.request.context.warn(`Validation failed for ${where}: ${message}`);
    }
    if (actions.includes('Audit')) {
      const failure = {
        message,
        policy: policy.name,
        binding: binding.name,
        expressionIndex: index,
        validationActions: actions,
      };
      deps.annotate(subject, failureKey, JSON.stringify([failure]));
    }
  }
  return [...denials, ...errors.map((message) => ({ message, reason: undefined, binding, policy }))];
}

async function evaluate(
  deps: PolicyDeps,
  policy: ValidatingPolicy,
  subject: Subject,
  { row, param }: { row: Resource; param: KubeObject | null },
): Promise<Findings> {
  const findings: Findings = { failures: [], errors: [], annotations: [] };
  const failed = (error: unknown, index = 0): void => {
    if (policy.failsClosed)
      findings.failures.push({ index, message: (error as Error).message, reason: undefined });
  };
  const values: Values = {
    ...variablesOf(subject, row, await subject.inVersion(row), deps.authorize),
    params: toCel(param),
  };
  try {
    if (policy.conditions && !(await policy.conditions.areMet(values))) return findings;
  } catch (error) {
    failed(error);
    return findings;
  }
  const namespaceObject = toCel((await deps.matching.namespaceOf(subject)) ?? null);
  const all = { ...values, namespaceObject };
  const evaluation = policy.composition.begin(all, newBudget());
  for (const [index, validation] of policy.compiled.validations.entries()) {
    try {
      if ((await evaluation.evaluate(validation.expression)) === true) continue;
      const message = await messageOf(validation, evaluation);
      findings.failures.push({ index, message, reason: validation.given.reason as Reason | undefined });
    } catch (error) {
      failed(error, index);
      if (error instanceof OutOfBudget) return findings;
    }
  }
  await annotate(policy, policy.composition.begin(all, newBudget()), findings);
  return findings;
}

async function annotate(policy: ValidatingPolicy, evaluation: Evaluation, findings: Findings): Promise<void> {
  for (const { key, source, value } of policy.compiled.annotations) {
    try {
      const result = await evaluation.evaluate(value);
      if (typeof result === 'string') {
        const text = result.trim().slice(0, maxAnnotationBytes);
        if (text !== '') findings.annotations.push([key, text]);
      } else if (result !== null) {
        const why = `valueExpression '${source}' resulted in unsupported return type: ${typeof result}.`;
        findings.errors.push(`${why} Return type must be either string or null.`);
      }
    } catch (error) {
      if (policy.failsClosed) findings.errors.push((error as Error).message);
    }
  }
}

/** The expression's words, else the given ones, else the expression itself. */
async function messageOf({ given, message }: CompiledValidation, evaluation: Evaluation): Promise<string> {
  const made = message && (await textOf(message, evaluation));
  return made || given.message?.trim() || `failed expression: ${given.expression.trim()}`;
}

async function textOf(message: Expression, evaluation: Evaluation): Promise<string | undefined> {
  try {
    const result = await evaluation.evaluate(message);
    const text = typeof result === 'string' ? result.trim() : '';
    return Buffer.byteLength(text) <= maxMessageBytes && !text.includes('\n') ? text : undefined;
  } catch (error) {
    if (error instanceof OutOfBudget)
      throw new Error(`failed messageExpression: ${error.message}`, { cause: error });
    return undefined;
  }
}

function refusal(subject: Subject, { policy, binding, message, reason = 'Invalid' }: Denial): ApiError {
  const where = `ValidatingAdmissionPolicy '${policy.name}'${binding ? ` with binding '${binding.name}'` : ''}`;
  const text = `${where} denied request: ${message}`;
  const { message: worded, details } = subject.forbidden(text);
  return new ApiError(reason, worded, { ...details, causes: [{ message: text }] });
}
