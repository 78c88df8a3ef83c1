/**
 * 2. How many events are taken, as the administrator says it: eventratelimit.admission.k8s.io/v1alpha1. Pure.
 *
 * Without a configuration a namespace may write ten thousand events at once and fifty a second from then on: far more than
 * a cluster of fifty nodes has reason to, and little enough that a loop in somebody's controller cannot fill the store
 * within the hour that events are kept.
 */
import { documentOf, fieldsOf } from '../../configuration.js';

export const limitTypes = ['Server', 'Namespace', 'User', 'SourceAndObject'] as const;
export type LimitType = (typeof limitTypes)[number];

export interface Limit {
  type: LimitType;
  /** Events per second, once `burst` is used up. */
  qps: number;
  burst: number;
  /** How many namespaces, users, ... are remembered; who is forgotten begins anew. */
  cacheSize: number;
}

const defaultCacheSize = 4_096;
const defaults: readonly Limit[] = [
  { type: 'Namespace', qps: 50, burst: 10_000, cacheSize: defaultCacheSize },
];

const apiVersions = ['eventratelimit.admission.k8s.io/v1alpha1'];

/** Throws an `Error` that names the field. */
export function limitsOf(given: unknown): readonly Limit[] {
  if (given === undefined || given === null) return defaults;
  const { limits } = documentOf(given, 'Configuration', apiVersions, ['limits']);
  if (!Array.isArray(limits) || limits.length === 0) throw new Error('limits must not be empty');
  return limits.map((limit: unknown, index) => limitOf(limit, `limits[${index}]`));
}

function limitOf(given: unknown, path: string): Limit {
  const fields = fieldsOf(given, path, ['type', 'qps', 'burst', 'cacheSize']);
  const type = limitTypes.find((known) => known === fields['type']);
  if (!type)
    throw new Error(
      `${path}.type: ${JSON.stringify(fields['type'])} must be one of ${limitTypes.join(', ')}`,
    );
  const number = (name: string, least: number, problem: string): number => {
    const value = fields[name];
    if (!Number.isInteger(value) || (value as number) < least)
      throw new Error(`${path}.${name}: ${JSON.stringify(value)} ${problem}`);
    return value as number;
  };
  return {
    type,
    qps: number('qps', 1, 'must be positive'),
    burst: number('burst', 1, 'must be positive'),
    cacheSize:
      (fields['cacheSize'] ?? 0) === 0 ? defaultCacheSize : number('cacheSize', 0, 'must not be negative'),
  };
}
