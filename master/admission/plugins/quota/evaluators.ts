/**
 * What an object of a kind counts for in quotas: one evaluator per kind, from one table; a kind that is not in it counts
 * as `count/<resource>.<group>`. Pure. Called by admission for one object and by the controller for all of them.
 */
import type { KubeObject } from '../../../../src/api/types.js';
import type { Operation } from '../../../registry/admission.js';
import type { Resource } from '../../../resources/resource.js';
import type { Amounts } from './amounts.js';
import { claimEvaluator } from './claims.js';
import { podEvaluator } from './pods.js';
import type { Requirement } from './scopes.js';
import { serviceEvaluator } from './services.js';

export interface Evaluator<T extends KubeObject = KubeObject> {
  /** Whether such a write can take more of a quota. */
  handles(operation: Operation, subresource: string): boolean;
  /** Whether this is the kind that a resource named in a quota is about. */
  counts(name: string): boolean;
  usage(object: T, now: Date): Amounts;
  isInScope(object: T, requirement: Requirement): boolean;
  /** What the object has to say because a quota has these resources; undefined when nothing is missing. */
  missing?(object: T, names: readonly string[]): string | undefined;
  /** When the usage of the object changes without a write, as a time in ms. */
  changesAtMs?(object: T): number | undefined;
}

type Named = Pick<Resource['type'], 'group' | 'resource'>;

const special: Readonly<Record<string, Evaluator<never>>> = {
  'pods.': podEvaluator,
  'services.': serviceEvaluator,
  'persistentvolumeclaims.': claimEvaluator,
};

/** Kinds whose bare name is older than `count/`. */
const aliased: readonly string[] = ['configmaps', 'secrets', 'replicationcontrollers', 'resourcequotas'];

/** Undefined for what no quota counts: what is in no namespace or not stored, and events. */
export function evaluatorOf(type: Named & { namespaced: boolean }, verbs?: unknown): Evaluator | undefined {
  if (!type.namespaced || verbs || type.resource === 'events') return undefined;
  const found = special[`${type.resource}.${type.group}`];
  return found ? (found as Evaluator<KubeObject>) : countEvaluator(type);
}

/** `count/pods`, `count/deployments.apps`. */
export const countName = ({ group, resource }: Named): string =>
  group === '' ? `count/${resource}` : `count/${resource}.${group}`;

function countEvaluator(type: Named): Evaluator {
  const name = countName(type);
  const alias = type.group === '' && aliased.includes(type.resource) ? type.resource : name;
  const one: Amounts = { [name]: '1', [alias]: '1' };
  return {
    handles: (operation, subresource) => operation === 'CREATE' && subresource === '',
    counts: (asked) => asked === name || asked === alias,
    usage: () => one,
    isInScope: () => false,
  };
}
