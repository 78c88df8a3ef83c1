/**
 * The names of a pod: what its containers see as host name, and what DNS and /etc/hosts call it. Pure.
 */
import type { Pod } from '../../src/api/types.js';
import { podName, podNamespace } from './names.js';
import { ConfigError } from './needs.js';

/** What the kernel takes as host name. */
const maxHostnameLength = 64;

/** The short name: `hostnameOverride`, `hostname`, or the pod's name cut to a label of DNS. */
export const hostnameOf = (pod: Pod): string =>
  pod.spec?.hostnameOverride ||
  pod.spec?.hostname ||
  podName(pod)
    .slice(0, 63)
    .replace(/[-.]+$/, '');

/** `hostname.subdomain.namespace.svc.domain`; undefined for a pod without subdomain, which has no such name. */
export function fullNameOf(pod: Pod, clusterDomain: string): string | undefined {
  const { subdomain, hostnameOverride } = pod.spec ?? {};
  if (!subdomain || hostnameOverride) return undefined;
  return `${hostnameOf(pod)}.${subdomain}.${podNamespace(pod)}.svc.${clusterDomain}`;
}

/** The host name inside; '' where the pod has the host's. Throws `ConfigError` for a full name that is too long. */
export function kernelHostname(pod: Pod, clusterDomain: string): string {
  const full = pod.spec?.setHostnameAsFQDN ? fullNameOf(pod, clusterDomain) : undefined;
  if (full !== undefined && full.length > maxHostnameLength) {
    throw new ConfigError(
      `spec.setHostnameAsFQDN: failed to construct FQDN from pod hostname and cluster domain, FQDN ${full} is too long ` +
        `(${maxHostnameLength} characters is the max, ${full.length} characters requested)`,
    );
  }
  return pod.spec?.hostNetwork ? '' : (full ?? hostnameOf(pod));
}
