/**
 * What one rule of a role allows, as Kubernetes documents it: a star stands for everything, one before `/scale` for that
 * subresource of every resource, one at the end of a path for everything that begins so. Pure; the rules of a role only ever add up.
 */
import type { PolicyRule } from '../../src/api/types.js';
import type { Attributes } from './auth.js';

/** Whether the rule allows what is asked. */
export const allowsRequest = (rule: PolicyRule, request: Attributes): boolean =>
  request.path === undefined ? allowsResource(rule, request) : allowsPath(rule, request.verb, request.path);

const hasOrAll = (given: readonly string[] | undefined, wanted: string): boolean =>
  given !== undefined && (given.includes(wanted) || given.includes('*'));

/** A rule with names never allows what has none: lists, and objects whose name is not made yet. */
function allowsResource(rule: PolicyRule, request: Attributes): boolean {
  const { resourceNames: names } = rule;
  return (
    hasOrAll(rule.verbs, request.verb) &&
    hasOrAll(rule.apiGroups, request.group) &&
    namesResource(rule.resources, request) &&
    (!names?.length || (request.name !== undefined && names.includes(request.name)))
  );
}

function namesResource(
  given: readonly string[] | undefined,
  { resource, subresource }: Pick<Attributes, 'resource' | 'subresource'>,
): boolean {
  if (subresource === '') return hasOrAll(given, resource);
  return hasOrAll(given, `${resource}/${subresource}`) || (given?.includes(`*/${subresource}`) ?? false);
}

const allowsPath = ({ verbs, nonResourceURLs }: PolicyRule, verb: string, path: string): boolean =>
  nonResourceURLs !== undefined &&
  hasOrAll(verbs, verb) &&
  nonResourceURLs.some((given) => coversPath(given, path));

/** Also tells whether one pattern covers another. */
export const coversPath = (given: string, path: string): boolean =>
  given === path || (given.endsWith('*') && path.startsWith(given.replace(/\*+$/, '')));
