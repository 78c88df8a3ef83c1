/** The quality-of-service class of a pod, as Kubernetes documents it. Pure. */
import { compareQuantities } from '../../../src/api/quantity.js';
import type { Container, PodSpec } from '../../../src/api/types.js';

const counted = ['cpu', 'memory'];

const amounts = (list: Record<string, string> | undefined): Record<string, string> =>
  Object.fromEntries(
    Object.entries(list ?? {}).filter(
      ([name, amount]) => counted.includes(name) && compareQuantities(amount, '0') > 0,
    ),
  );

/** Limits for both cpu and memory, and requests equal to them. */
function isGuaranteed({ resources }: Container): boolean {
  const limits = amounts(resources?.limits);
  const requests = amounts(resources?.requests);
  return counted.every((name) => {
    const limit = limits[name];
    return limit !== undefined && compareQuantities(requests[name] ?? limit, limit) === 0;
  });
}

export function qosClassOf(spec: PodSpec | undefined): 'Guaranteed' | 'Burstable' | 'BestEffort' {
  const containers = [...(spec?.containers ?? []), ...(spec?.initContainers ?? [])];
  const asksNothing = ({ resources }: Container): boolean =>
    Object.keys({ ...amounts(resources?.limits), ...amounts(resources?.requests) }).length === 0;
  if (containers.every(asksNothing)) return 'BestEffort';
  return containers.every(isGuaranteed) ? 'Guaranteed' : 'Burstable';
}
