/**
 * What pods count for: `count/pods` as long as they are stored; `pods` and what they ask for until they have ended, or
 * should have been gone for as long as they were given to go. Pure.
 */
import type { Pod } from '../../../../src/api/types.js';
import type { Amounts } from './amounts.js';
import type { Evaluator } from './evaluators.js';
import { chargedAmounts } from './podsums.js';
import { isPodInScope } from './scopes.js';

const computed = ['cpu', 'memory', 'ephemeral-storage'];
const names = new Set([
  'pods',
  'count/pods',
  ...computed.flatMap((name) => [name, `requests.${name}`, `limits.${name}`]),
]);
/** A quota on one of these makes every container say how much of it, as documented. */
const mandatory = ['cpu', 'memory'].flatMap((name) => [name, `requests.${name}`, `limits.${name}`]);
const requestsPrefix = 'requests.';

const objectUsage: Amounts = { 'count/pods': '1' };
/** Objects never change, and a count looks at every pod of a namespace: adding one up takes 25 us. */
const known = new WeakMap<Pod, Amounts>();

export const podEvaluator: Evaluator<Pod> = {
  handles: (operation, subresource) =>
    (operation === 'CREATE' && subresource === '') || (operation === 'UPDATE' && subresource === 'resize'),
  counts: (name) => names.has(name) || /^(?:requests\.)?hugepages-/.test(name) || isExtendedQuota(name),
  usage(pod, now) {
    return isCharged(pod, now) ? wholeUsage(pod) : objectUsage;
  },
  isInScope: isPodInScope,
  missing: missingFrom,
  changesAtMs: (pod) => (isEnded(pod) ? undefined : abandonedAtMs(pod)),
};

/** Devices and the like: they have a domain, and a quota names their requests only. */
const isExtended = (name: string): boolean => name.includes('/') && !name.includes('kubernetes.io/');
const isExtendedQuota = (name: string): boolean => name.startsWith(requestsPrefix) && isExtended(name);

const isEnded = ({ status }: Pod): boolean => status?.phase === 'Failed' || status?.phase === 'Succeeded';

/** A pod that does not go (its node is lost) must not hold its quota for ever: twice its grace period is enough. */
function abandonedAtMs({ metadata }: Pod): number | undefined {
  const { deletionTimestamp, deletionGracePeriodSeconds } = metadata;
  if (!deletionTimestamp || deletionGracePeriodSeconds === undefined) return undefined;
  return Date.parse(deletionTimestamp) + deletionGracePeriodSeconds * 1000;
}

const isCharged = (pod: Pod, now: Date): boolean =>
  !isEnded(pod) && now.getTime() <= (abandonedAtMs(pod) ?? Number.POSITIVE_INFINITY);

function wholeUsage(pod: Pod): Amounts {
  const found = known.get(pod);
  if (found) return found;
  const computed = computedUsage(chargedAmounts(pod, 'requests'), chargedAmounts(pod, 'limits'));
  const usage = { ...objectUsage, pods: '1', ...computed };
  known.set(pod, usage);
  return usage;
}

/** Requests and limits under the names that quotas know them by. */
function computedUsage(requests: Amounts, limits: Amounts): Record<string, string> {
  const usage: Record<string, string> = {};
  for (const [name, quantity] of Object.entries(requests)) {
    const isPlain = computed.includes(name) || name.startsWith('hugepages-');
    if (isPlain) usage[name] = quantity;
    if (isPlain || (isExtended(name) && !name.startsWith(requestsPrefix)))
      usage[`${requestsPrefix}${name}`] = quantity;
  }
  for (const [name, quantity] of Object.entries(limits))
    if (computed.includes(name)) usage[`limits.${name}`] = quantity;
  return usage;
}

/** Not asked of a pod that says it as a whole. */
function missingFrom({ spec }: Pod, asked: readonly string[]): string | undefined {
  const { requests, limits } = spec?.resources ?? {};
  if (Object.keys({ ...requests, ...limits }).length > 0) return undefined;
  const containers = [...(spec?.containers ?? []), ...(spec?.initContainers ?? [])];
  const said = containers.map(({ name, resources }) => ({
    name,
    usage: computedUsage(resources?.requests ?? {}, resources?.limits ?? {}),
  }));
  const texts = mandatory
    .filter((name) => asked.includes(name))
    .sort()
    .flatMap((name) => {
      const silent = said.filter(({ usage }) => usage[name] === undefined).map((one) => one.name);
      return silent.length > 0 ? [`${name} for: ${silent.sort().join(',')}`] : [];
    });
  return texts.length > 0 ? `must specify ${texts.join('; ')}` : undefined;
}
