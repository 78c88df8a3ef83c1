/**
 * The text of a pod's /etc/hosts. Pure.
 */
import type { Pod } from '../../src/api/types.js';
import { fullNameOf, hostnameOf } from './hostname.js';

const localNames = `127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::0\tip6-localnet
fe00::0\tip6-mcastprefix
fe00::1\tip6-allnodes
fe00::2\tip6-allrouters
`;

export interface HostsFacts {
  ips: readonly string[];
  clusterDomain: string;
  /** Of the API, for a pod that finds it by no DNS of the cluster. */
  apiAddress?: string | undefined;
  /** The host's own file, for a pod on the host's network. */
  hostText?: string | undefined;
}

export function renderHosts(pod: Pod, { ips, clusterDomain, apiAddress, hostText }: HostsFacts): string {
  const full = fullNameOf(pod, clusterDomain);
  const ownNames = full === undefined ? hostnameOf(pod) : `${full}\t${hostnameOf(pod)}`;
  const own = hostText ?? `${localNames}${ips.map((ip) => `${ip}\t${ownNames}\n`).join('')}`;
  const service = 'kubernetes.default';
  const names = [`${service}.svc.${clusterDomain}`, `${service}.svc`, service].join('\t');
  const api =
    apiAddress === undefined ? '' : `\n# The API; this cluster has no DNS.\n${apiAddress}\t${names}\n`;
  const aliases = (pod.spec?.hostAliases ?? []).map(
    ({ ip, hostnames = [] }) => `${ip}\t${hostnames.join('\t')}\n`,
  );
  // Programs and tests know the file by its first line.
  const kind = hostText === undefined ? '' : ' (host network)';
  const head = `# Kubernetes-managed hosts file${kind}.\n`;
  return `${head}${own}${api}${aliases.length > 0 ? `\n# From spec.hostAliases.\n${aliases.join('')}` : ''}`;
}
