/**
 * Whether some rules cover others: nobody may grant what they do not hold, and a default role that was tampered with is
 * completed. Pure. The rules asked about are taken apart into single rights, each of which one owned rule must cover;
 * nobody puts two rules together to mean a third.
 */
import type { PolicyRule } from '../../src/api/types.js';
import { coversPath } from './rbacmatch.js';

/** More are not taken apart: a small rule of long lists makes billions, and they would have to be looked at one by one. */
const maxSingleRights = 10_000;

/**
 * The rights that `held` does not cover, one verb on one thing each; empty when it covers all. Of a rule that no single one
 * covers and that stands for too many rights all are missing, as one; whoever means it writes several smaller rules.
 */
export function missingRights(held: readonly PolicyRule[], asked: readonly PolicyRule[]): PolicyRule[] {
  let left = maxSingleRights;
  return asked.flatMap((rule) => {
    if (held.some((owned) => covers(owned, rule))) return [];
    left -= countOf(rule);
    if (left < 0) return [rule];
    return singleRights(rule).filter((right) => !held.some((owned) => covers(owned, right)));
  });
}

function countOf({
  verbs,
  apiGroups = [],
  resources = [],
  resourceNames = [],
  nonResourceURLs = [],
}: PolicyRule) {
  const onResources = apiGroups.length * resources.length * Math.max(resourceNames.length, 1);
  return verbs.length * (onResources + nonResourceURLs.length);
}

function singleRights(rule: PolicyRule): PolicyRule[] {
  const { verbs, apiGroups = [], resources = [], nonResourceURLs = [] } = rule;
  const resourceNames = rule.resourceNames ?? [];
  const onResources = apiGroups.flatMap((group) =>
    resources.flatMap((resource) =>
      verbs.flatMap((verb): PolicyRule[] => {
        const right = { apiGroups: [group], resources: [resource], verbs: [verb] };
        return resourceNames.length === 0
          ? [right]
          : resourceNames.map((name) => ({ ...right, resourceNames: [name] }));
      }),
    ),
  );
  return [
    ...onResources,
    ...nonResourceURLs.flatMap((url) => verbs.map((verb) => ({ nonResourceURLs: [url], verbs: [verb] }))),
  ];
}

const each = (
  asked: readonly string[] | undefined,
  held: readonly string[] | undefined,
  fits: (held: string, asked: string) => boolean,
): boolean => (asked ?? []).every((one) => (held ?? []).some((other) => fits(other, one)));

const sameOrAll = (held: string, asked: string): boolean => held === '*' || held === asked;

/** `*` of a resource is also what subresources are covered by. */
function coversResource(held: string, asked: string): boolean {
  const slash = asked.indexOf('/');
  return sameOrAll(held, asked) || (slash >= 0 && held === `*${asked.slice(slash)}`);
}

/** Whether one rule covers all of another. */
function covers(rule: PolicyRule, right: PolicyRule): boolean {
  const isNamed = !!rule.resourceNames?.length;
  return (
    each(right.verbs, rule.verbs, sameOrAll) &&
    each(right.apiGroups, rule.apiGroups, sameOrAll) &&
    each(right.resources, rule.resources, coversResource) &&
    each(right.nonResourceURLs, rule.nonResourceURLs, coversPath) &&
    (!isNamed ||
      (!!right.resourceNames?.length && each(right.resourceNames, rule.resourceNames, (a, b) => a === b)))
  );
}

/** `{APIGroups:[""], Resources:["pods"], Verbs:["get" "list"]}` per resource and name, in the order of the alphabet. */
export function describeRights(rights: readonly PolicyRule[]): string[] {
  const compact = new Map<string, PolicyRule>();
  for (const right of rights) {
    const { verbs, ...what } = right;
    const key = right.nonResourceURLs ? JSON.stringify(right) : JSON.stringify(what);
    const known = compact.get(key);
    compact.set(key, known ? { ...known, verbs: [...known.verbs, ...verbs] } : right);
  }
  return [...new Set([...compact.values()].map(describe))].sort();
}

function describe({ apiGroups, resources, nonResourceURLs, resourceNames, verbs }: PolicyRule): string {
  const parts: [string, readonly string[] | undefined][] = [
    ['APIGroups', apiGroups],
    ['Resources', resources],
    ['NonResourceURLs', nonResourceURLs],
    ['ResourceNames', resourceNames],
    ['Verbs', verbs],
  ];
  const told = parts.flatMap(([name, values]) => (values?.length ? [`${name}:${quotedList(values)}`] : []));
  return `{${told.join(', ')}}`;
}

/** As Go prints a list of strings: `["a" "b"]`. */
export const quotedList = (values: readonly string[]): string =>
  `[${values.map((value) => JSON.stringify(value)).join(' ')}]`;
