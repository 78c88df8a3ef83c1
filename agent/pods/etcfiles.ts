/**
 * The text of a pod's /etc/hosts and /etc/resolv.conf. Pure.
 */
import type { Pod } from '../../src/api/types.js';
import { hostnameOf } from './containerspec.js';

const localNames = `127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::0\tip6-localnet
fe00::0\tip6-mcastprefix
fe00::1\tip6-allnodes
fe00::2\tip6-allrouters
`;

/** `hostText`: the host's own file, for a pod on the host's network. */
export function renderHosts(pod: Pod, ips: readonly string[], hostText: string | undefined): string {
  const own = hostText ?? `${localNames}${ips.map((ip) => `${ip}\t${namesOf(pod)}\n`).join('')}`;
  const aliases = (pod.spec?.hostAliases ?? []).map(
    ({ ip, hostnames = [] }) => `${ip}\t${hostnames.join('\t')}\n`,
  );
  // Programs and tests know the file by its first line.
  const kind = hostText === undefined ? '' : ' (host network)';
  const head = `# Kubernetes-managed hosts file${kind}.\n`;
  return `${head}${own}${aliases.length > 0 ? `\n# From spec.hostAliases.\n${aliases.join('')}` : ''}`;
}

function namesOf(pod: Pod): string {
  const hostname = hostnameOf(pod);
  const { subdomain } = pod.spec ?? {};
  if (!subdomain) return hostname;
  return `${hostname}.${subdomain}.${pod.metadata.namespace ?? 'default'}.svc.cluster.local\t${hostname}`;
}

/** What the resolver of libc takes, and Kubernetes allows. */
const maxServers = 3;
const maxSearches = 32;

interface Resolver {
  servers: string[];
  searches: string[];
  options: string[];
}

/**
 * `Default` and (until there is a cluster DNS) `ClusterFirst` take the host's file, `None` nothing; `dnsConfig` is
 * added to it: servers and searches behind, options by name in place.
 */
export function renderResolvConf(pod: Pod, hostText: string): string {
  const base =
    pod.spec?.dnsPolicy === 'None' ? { servers: [], searches: [], options: [] } : parseResolvConf(hostText);
  const extra = pod.spec?.dnsConfig ?? {};
  const unique = (values: readonly string[]): string[] => [...new Set(values)];
  const servers = unique([...base.servers, ...(extra.nameservers ?? [])]).slice(0, maxServers);
  const searches = unique([...base.searches, ...(extra.searches ?? [])]).slice(0, maxSearches);
  const own = (extra.options ?? []).map(({ name = '', value }) => ({
    name,
    text: value ? `${name}:${value}` : name,
  }));
  const kept = base.options.filter((option) => !own.some(({ name }) => option.split(':')[0] === name));
  const options = [...kept, ...own.map(({ text }) => text)];
  return [
    ...(searches.length > 0 ? [`search ${searches.join(' ')}`] : []),
    ...servers.map((server) => `nameserver ${server}`),
    ...(options.length > 0 ? [`options ${options.join(' ')}`] : []),
    '',
  ].join('\n');
}

export function parseResolvConf(text: string): Resolver {
  const resolver: Resolver = { servers: [], searches: [], options: [] };
  for (const line of text.split('\n')) {
    const [keyword, ...values] = line.trim().split(/\s+/);
    if (keyword === 'nameserver') resolver.servers.push(...values.slice(0, 1));
    else if (keyword === 'search' || keyword === 'domain') resolver.searches = values;
    else if (keyword === 'options') resolver.options.push(...values);
  }
  return resolver;
}
