/**
 * 2. Admission policies as they are used: each with its bindings, everything compiled, in the order of names. Made again
 * only for what changed.
 */
import type {
  KubeObject,
  MatchCondition,
  MatchResources,
  ParamKind,
  ParamRef,
  Variable,
} from '../../src/api/types.js';
import { type Composition, compileComposition } from './composition.js';
import { type Conditions, compileConditions } from './conditions.js';
import { policyVariables } from './expressions.js';
import { type Criteria, criteriaOf } from './matching.js';

interface PolicySpec {
  paramKind?: ParamKind | undefined;
  matchConstraints?: MatchResources | undefined;
  failurePolicy?: string | undefined;
  matchConditions?: MatchCondition[] | undefined;
  variables?: Variable[] | undefined;
}

interface BindingSpec {
  policyName?: string | undefined;
  paramRef?: ParamRef | undefined;
  matchResources?: MatchResources | undefined;
}

type PolicyObject = KubeObject & { spec?: PolicySpec | undefined };
type BindingObject = KubeObject & { spec?: BindingSpec | undefined };

export interface Binding<B extends BindingObject> {
  object: B;
  name: string;
  /** `undefined` when it adds nothing to what the policy matches. */
  criteria: Criteria | undefined;
}

export interface Policy<P extends PolicyObject, B extends BindingObject, C> {
  object: P;
  name: string;
  failsClosed: boolean;
  criteria: Criteria;
  conditions: Conditions | undefined;
  composition: Composition;
  /** What only this kind of policy has. */
  compiled: C;
  bindings: readonly Binding<B>[];
}

export class Policies<P extends PolicyObject, B extends BindingObject, C> {
  readonly #compile: (policy: P, composition: Composition) => C;
  #policies = new Map<P, Omit<Policy<P, B, C>, 'bindings'>>();
  #bindings = new Map<B, Binding<B>>();
  #all: readonly Policy<P, B, C>[] = [];

  constructor(compile: (policy: P, composition: Composition) => C) {
    this.#compile = compile;
  }

  /** Those with bindings: without, a policy does nothing. */
  get all(): readonly Policy<P, B, C>[] {
    return this.#all;
  }

  /** What is configured now; what cannot be used at all is left out and returned as an error. */
  replace(policies: readonly P[], bindings: readonly B[]): Error[] {
    const errors: Error[] = [];
    this.#policies = renewed(this.#policies, policies, (object) => this.#policy(object), errors);
    this.#bindings = renewed(this.#bindings, bindings, bindingOf, errors);
    const bound = [...this.#bindings.values()];
    this.#all = [...this.#policies.values()]
      .map((policy) => ({
        ...policy,
        bindings: bound.filter(({ object }) => object.spec?.policyName === policy.name),
      }))
      .filter((policy) => policy.bindings.length > 0);
    return errors;
  }

  #policy(object: P): Omit<Policy<P, B, C>, 'bindings'> {
    const { paramKind, matchConstraints, failurePolicy, matchConditions, variables } = object.spec ?? {};
    const hasParams = paramKind !== undefined;
    const failsClosed = failurePolicy !== 'Ignore';
    const composition = compileComposition(variables, policyVariables(hasParams));
    return {
      object,
      name: object.metadata.name ?? '',
      failsClosed,
      criteria: criteriaOf(matchConstraints ?? {}),
      conditions: compileConditions(matchConditions, { failsClosed, hasParams }),
      composition,
      compiled: this.#compile(object, composition),
    };
  }
}

const bindingOf = <B extends BindingObject>(object: B): Binding<B> => ({
  object,
  name: object.metadata.name ?? '',
  criteria: object.spec?.matchResources && criteriaOf(object.spec.matchResources, true),
});

/** By name; what was made of the same object before is kept. */
function renewed<O extends KubeObject, M>(
  known: ReadonlyMap<O, M>,
  objects: readonly O[],
  make: (object: O) => M,
  errors: Error[],
): Map<O, M> {
  const next = new Map<O, M>();
  const name = ({ metadata }: O): string => metadata.name ?? '';
  for (const object of [...objects].sort((a, b) => (name(a) < name(b) ? -1 : 1))) {
    try {
      next.set(object, known.get(object) ?? make(object));
    } catch (error) {
      errors.push(error as Error);
    }
  }
  return next;
}
