/**
 * The quality-of-service class of a pod, as Kubernetes documents it: from `spec.resources` where it says anything of cpu
 * or memory, else from its containers. Pure. Set by the API; the agent asks for pods that the API has not seen.
 */
import { compareQuantities } from './quantity.js';
import type { PodSpec } from './types.js';

export type QosClass = 'Guaranteed' | 'Burstable' | 'BestEffort';

const counted = ['cpu', 'memory'];

type List = Record<string, string> | undefined;
interface Holder {
  resources?: { limits?: List; requests?: List } | undefined;
}

const amounts = (list: List): Record<string, string> =>
  Object.fromEntries(
    Object.entries(list ?? {}).filter(
      ([name, amount]) => counted.includes(name) && compareQuantities(amount, '0') > 0,
    ),
  );

/** Limits for both cpu and memory, and requests equal to them. */
function isGuaranteed({ resources }: Holder): boolean {
  const limits = amounts(resources?.limits);
  const requests = amounts(resources?.requests);
  return counted.every((name) => {
    const limit = limits[name];
    return limit !== undefined && compareQuantities(requests[name] ?? limit, limit) === 0;
  });
}

const asksNothing = ({ resources }: Holder): boolean =>
  Object.keys({ ...amounts(resources?.limits), ...amounts(resources?.requests) }).length === 0;

export function qosClassOf(spec: PodSpec | undefined): QosClass {
  const containers = [...(spec?.containers ?? []), ...(spec?.initContainers ?? [])];
  const holders: readonly Holder[] = spec && !asksNothing(spec) ? [spec] : containers;
  if (holders.every(asksNothing)) return 'BestEffort';
  return holders.every(isGuaranteed) ? 'Guaranteed' : 'Burstable';
}
