/**
 * What a ClusterRole with an aggregationRule allows: the rules of every other role that one of its selectors chooses, in
 * the order of their names, each once. Pure. Called by the controller that keeps such roles, and for the default ones.
 */
import { selectorOf } from '../../src/api/selectors.js';
import type { ClusterRole, PolicyRule } from '../../src/api/types.js';

/** `undefined` for a role that gathers nothing. Throws `SelectorError`. */
export function gatheredRules(
  role: ClusterRole,
  candidates: readonly ClusterRole[],
): PolicyRule[] | undefined {
  const selectors = role.aggregationRule?.clusterRoleSelectors?.map(selectorOf);
  if (!selectors) return undefined;
  const chosen = candidates
    .filter(({ metadata }) => metadata.name !== role.metadata.name)
    .filter(({ metadata }) => selectors.some((selector) => selector.matches(metadata.labels ?? {})))
    .sort((a, b) => compare(a.metadata.name ?? '', b.metadata.name ?? ''));
  const rules = new Map<string, PolicyRule>();
  for (const rule of chosen.flatMap((other) => other.rules ?? [])) {
    const text = JSON.stringify(rule);
    if (!rules.has(text)) rules.set(text, rule);
  }
  return [...rules.values()];
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
