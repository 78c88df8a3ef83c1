/**
 * 2. What a namespace's administrator is told when pods that run already would not be let in any more. Pure. One line for
 * all pods that violate the same rules, called by the first of them, as Kubernetes words it.
 */
import { controllerOf } from '../../../../src/api/meta.js';
import type { Pod } from '../../../../src/api/types.js';
import type { Violation } from './checks.js';
import { type LevelVersion, levelText } from './levels.js';

/** One of each controller first: where not all can be looked at, these tell most. */
export function inOrder(pods: readonly Pod[]): readonly Pod[] {
  const seen = new Set<string>();
  const first: Pod[] = [];
  const others: Pod[] = [];
  for (const pod of pods) {
    const owner = controllerOf(pod)?.uid;
    (owner !== undefined && seen.has(owner) ? others : first).push(pod);
    if (owner !== undefined) seen.add(owner);
  }
  return [...first, ...others];
}

export interface Looked {
  namespace: string;
  asked: LevelVersion;
  /** How many pods there are. */
  total: number;
  /** Of those that were looked at. */
  pods: readonly { name: string; violations: readonly Violation[] }[];
}

export function warningsOf({ namespace, asked, total, pods }: Looked): string[] {
  const groups = new Map<string, string[]>();
  for (const { name, violations } of pods) {
    if (violations.length === 0) continue;
    const reasons = violations.map(({ reason }) => reason).join(', ');
    groups.set(reasons, [...(groups.get(reasons) ?? []), name]);
  }
  const lines = [...groups].map(([reasons, names]) => `${called(names)}: ${reasons}`).sort();
  const warnings: string[] = [];
  if (pods.length < total)
    warnings.push(
      `new PodSecurity enforce level only checked against the first ${pods.length} of ${total} existing pods`,
    );
  if (lines.length > 0)
    warnings.push(
      `existing pods in namespace "${namespace}" violate the new PodSecurity enforce level "${levelText(asked)}"`,
    );
  return [...warnings, ...lines];
}

function called(names: readonly string[]): string {
  const [first = '', ...others] = [...names].sort();
  if (others.length === 0) return first;
  return `${first} (and ${others.length} other pod${others.length === 1 ? '' : 's'})`;
}
