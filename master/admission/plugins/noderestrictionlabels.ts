/**
 * The labels of Kubernetes' own domains, of which a node may give itself a documented few. Pure. Used by `noderestriction.ts`.
 */

type Labels = Readonly<Record<string, string>> | undefined;

/** "Well-Known Labels" that a kubelet sets. */
const kubeletLabels: ReadonlySet<string> = new Set([
  ...['kubernetes.io/hostname', 'kubernetes.io/os', 'kubernetes.io/arch'],
  ...['topology.kubernetes.io/zone', 'topology.kubernetes.io/region', 'node.kubernetes.io/instance-type'],
  ...['beta.kubernetes.io/os', 'beta.kubernetes.io/arch', 'beta.kubernetes.io/instance-type'],
  ...['failure-domain.beta.kubernetes.io/zone', 'failure-domain.beta.kubernetes.io/region'],
]);

const isWithin = (domain: string, parent: string): boolean =>
  domain === parent || domain.endsWith(`.${parent}`);

function isForbidden(key: string): boolean {
  const slash = key.indexOf('/');
  if (slash < 0) return false;
  const domain = key.slice(0, slash);
  if (isWithin(domain, 'node-restriction.kubernetes.io')) return true;
  const isKubernetes = isWithin(domain, 'kubernetes.io') || isWithin(domain, 'k8s.io');
  const isOfNode = isWithin(domain, 'kubelet.kubernetes.io') || isWithin(domain, 'node.kubernetes.io');
  return isKubernetes && !isOfNode && !kubeletLabels.has(key);
}

/** Those among the labels added, removed or changed that a node may not touch, in the order of the alphabet. */
export function forbiddenLabels(now: Labels = {}, old: Labels = {}): string[] {
  const keys = new Set([...Object.keys(now), ...Object.keys(old)]);
  return [...keys].filter((key) => now[key] !== old[key] && isForbidden(key)).sort();
}
