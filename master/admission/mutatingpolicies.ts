/**
 * 2. MutatingAdmissionPolicy: every binding that matches changes the object by the policy's mutations, one after the other:
 * an apply configuration is merged as server-side apply would, a JSON patch is applied as it is.
 */
import { misfitsOf, misfitsText } from '../../src/api/apply/configuration.js';
import { merge } from '../../src/api/apply/merge.js';
import type { Shape } from '../../src/api/apply/shape.js';
import { toCel } from '../../src/api/cel/program.js';
import { ApiError, type Reason } from '../../src/api/errors.js';
import { isMap } from '../../src/api/patch/json.js';
import { isFailedTest, jsonPatch } from '../../src/api/patch/patch.js';
import type {
  KubeObject,
  MutatingAdmissionPolicy,
  MutatingAdmissionPolicyBinding,
  Mutation,
} from '../../src/api/types.js';
import { copyJson, isSameJson } from '../registry/codec.js';
import { shapeOfRow } from '../registry/managed.js';
import type { Resource } from '../resources/resource.js';
import type { Composition } from './composition.js';
import { decodeMutated } from './decode.js';
import { compileExpression, type Expression, newBudget, policyVariables } from './expressions.js';
import { collectParams } from './params.js';
import { type Binding, Policies, type Policy } from './policies.js';
import type { Rounds } from './rounds.js';
import type { Subject } from './subject.js';
import type { PolicyDeps } from './validatingpolicies.js';
import { variablesOf } from './variables.js';

interface CompiledMutation {
  type: string;
  expression: Expression;
}

type MutatingPolicy = Policy<
  MutatingAdmissionPolicy,
  MutatingAdmissionPolicyBinding,
  readonly CompiledMutation[]
>;

export type MutatingPolicies = Policies<
  MutatingAdmissionPolicy,
  MutatingAdmissionPolicyBinding,
  readonly CompiledMutation[]
>;

export const createMutatingPolicies = (): MutatingPolicies => new Policies(compilePolicy);

function compilePolicy({ spec }: MutatingAdmissionPolicy, { shape }: Composition): CompiledMutation[] {
  const variables = policyVariables(spec?.paramKind !== undefined);
  return (spec?.mutations ?? []).map((mutation) => ({
    type: mutation.patchType,
    expression: compileExpression(sourceOf(mutation), { variables, composition: shape, allowsObjects: true }),
  }));
}

export const sourceOf = ({ applyConfiguration, jsonPatch: patch }: Mutation): string =>
  (applyConfiguration ?? patch)?.expression ?? '';

interface Failure {
  policy: MutatingPolicy;
  binding: Binding<MutatingAdmissionPolicyBinding> | undefined;
  error: unknown;
  reason?: Reason;
}

/** One evaluation of a policy. */
interface Invocation {
  policy: MutatingPolicy;
  binding: Binding<MutatingAdmissionPolicyBinding>;
  row: Resource;
  param: KubeObject | null;
}

/** Rejects with what policies that must not fail failed with. */
export async function mutateByPolicies(
  deps: PolicyDeps,
  policies: readonly MutatingPolicy[],
  subject: Subject,
  rounds: Rounds,
): Promise<void> {
  if (policies.length === 0) return;
  const failures: Failure[] = [];
  for (const policy of policies) {
    for (const invocation of await invocationsOf(deps, policy, subject, failures))
      await invoke(deps, invocation, subject, rounds, failures);
  }
  const refused = failures.filter(({ policy }) => policy.failsClosed);
  if (refused.length > 0) throw refusal(subject, refused);
}

async function invocationsOf(
  deps: PolicyDeps,
  policy: MutatingPolicy,
  subject: Subject,
  failures: Failure[],
): Promise<Invocation[]> {
  let row: Resource | undefined;
  try {
    row = await deps.matching.match(policy.criteria, subject);
  } catch (error) {
    failures.push({ policy, binding: undefined, error });
  }
  if (!row) return [];
  const found: Invocation[] = [];
  for (const binding of policy.bindings) {
    try {
      if (binding.criteria && !(await deps.matching.match(binding.criteria, subject))) continue;
      const { paramKind } = policy.object.spec ?? {};
      const params = await collectParams(deps, paramKind, binding.object.spec?.paramRef, subject);
      for (const param of params) found.push({ policy, binding, row, param });
    } catch (error) {
      failures.push({ policy, binding, error });
    }
  }
  return found;
}

async function invoke(
  deps: PolicyDeps,
  { policy, binding, row, param }: Invocation,
  subject: Subject,
  rounds: Rounds,
  failures: Failure[],
): Promise<void> {
  const { namespace = '', name = '' } = param?.metadata ?? {};
  const id = `policy ${policy.name}/${binding.name}/${namespace}/${name}`;
  if (!rounds.mayCall(id)) return;
  const fail = (error: unknown): number => failures.push({ policy, binding, error, reason: 'Invalid' });
  const valuesNow = async (): Promise<Record<string, unknown>> => ({
    ...variablesOf(subject, row, await subject.inVersion(row), deps.authorize),
    params: toCel(param),
  });
  try {
    if (policy.conditions && !(await policy.conditions.areMet(await valuesNow()))) return;
  } catch (error) {
    fail(error);
    return;
  }
  const namespaceObject = toCel((await deps.matching.namespaceOf(subject)) ?? null);
  const before = (await subject.inVersion(row)).object;
  for (const mutation of policy.compiled) {
    const { object } = await subject.inVersion(row);
    if (!object) break;
    try {
      // Every mutation sees what the one before left.
      const evaluation = policy.composition.begin({ ...(await valuesNow()), namespaceObject }, newBudget());
      const result = await evaluation.evaluate(mutation.expression);
      const changed =
        mutation.type === 'JSONPatch' ? patched(object, result) : configured(row, object, result);
      if (changed !== object) await subject.replace(row, decodeMutated(row, changed, object));
    } catch (error) {
      fail(error);
    }
  }
  const isChanged = !isSameJson((await subject.inVersion(row)).object, before);
  const isReinvocable = policy.object.spec?.reinvocationPolicy === 'IfNeeded';
  rounds.called(id, { isChanged, isReinvocable });
}

/** A failed `test` operation is no error: the patch was not meant for this object. */
function patched(object: KubeObject, patch: unknown): KubeObject {
  if (!Array.isArray(patch))
    throw new Error('type mismatch: JSONPatchType.expression should evaluate to array');
  try {
    return jsonPatch(object, patch) as KubeObject;
  } catch (error) {
    if (isFailedTest(error)) return object;
    const why = error instanceof ApiError ? (error.details?.causes?.[0]?.message ?? '') : '';
    throw new Error(`JSON Patch: ${why || (error as Error).message}`, { cause: error });
  }
}

function configured(row: Resource, object: KubeObject, config: unknown): KubeObject {
  const shape = shapeOfRow(row as Resource<never>);
  if (!shape || !isMap(config))
    throw new Error('invalid return type: the expression must evaluate to an Object');
  const misfits = misfitsOf(shape, config);
  if (misfits.length > 0)
    throw new Error(
      `error applying patch: failed to convert patch object to typed object: ${misfitsText(misfits)}`,
    );
  const atomics = atomicsIn(shape, config, '');
  if (atomics.length > 0) {
    const what = `may not mutate atomic arrays, maps or structs: ${atomics.join(', ')}`;
    throw new Error(`error applying patch: invalid ApplyConfiguration: ${what}`);
  }
  // What is merged shares parts with the object, which may be somebody else's.
  return copyJson(merge(shape, object, config)) as KubeObject;
}

/** Paths of values that could only be replaced as a whole: whoever configures one field would lose the others. */
function atomicsIn(shape: Shape, value: unknown, path: string): string[] {
  if (shape.kind === 'atomic') return typeof value === 'object' && value !== null ? [path] : [];
  if (isMap(value)) {
    return Object.entries(value).flatMap(([name, inside]) => {
      const deeper =
        shape.kind === 'map'
          ? shape.item
          : shape.kind === 'struct'
            ? shape.fields.get(name)?.shape
            : undefined;
      return deeper ? atomicsIn(deeper, inside, `${path}.${name}`) : [];
    });
  }
  if (!Array.isArray(value) || (shape.kind !== 'keyed' && shape.kind !== 'set')) return [];
  return value.flatMap((item, index) => atomicsIn(shape.item, item, `${path}[${index}]`));
}

function refusal(subject: Subject, failures: readonly Failure[]): ApiError {
  const texts = failures.map(({ policy, binding, error }) => {
    const why = `denied request: ${(error as Error).message}`;
    return binding
      ? `policy '${policy.name}' with binding '${binding.name}' ${why}`
      : `policy ${JSON.stringify(policy.name)} ${why}`;
  });
  const { details } = subject.forbidden('admission request denied by policy');
  const causes = texts.map((message) => ({ message }));
  return new ApiError(failures[0]?.reason ?? 'Forbidden', texts[0] ?? '', { ...details, causes });
}
