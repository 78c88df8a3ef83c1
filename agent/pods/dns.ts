/**
 * The text of a pod's /etc/resolv.conf ("DNS for Services and Pods"). Pure; `hostfiles.ts` reads the host's file.
 *
 *   ClusterFirst             the cluster's DNS; on the host's network: the host's
 *   ClusterFirstWithHostNet  the cluster's DNS
 *   Default                  the host's file
 *   None                     nothing but `dnsConfig`
 *
 * `dnsConfig` is added to it: servers and searches behind, options by name in place.
 */
import type { Pod } from '../../src/api/types.js';
import { podNamespace } from './names.js';

/** What the resolver of libc takes, and Kubernetes allows. */
const maxServers = 3;
const maxSearches = 32;
const maxSearchLength = 2048;

export interface ClusterDns {
  /** Addresses; none: the cluster has no DNS. */
  servers: readonly string[];
  domain: string;
}

export interface ResolvConf {
  text: string;
  /** What users have to know about it, as events. */
  warnings: { reason: 'MissingClusterDNS' | 'DNSConfigForming'; message: string }[];
}

interface Resolver {
  servers: readonly string[];
  searches: readonly string[];
  options: readonly string[];
}

export function renderResolvConf(pod: Pod, hostText: string, cluster: ClusterDns): ResolvConf {
  const warnings: ResolvConf['warnings'] = [];
  const base = baseOf(pod, parseResolvConf(hostText), cluster, warnings);
  const { nameservers = [], searches: added = [], options: extra = [] } = pod.spec?.dnsConfig ?? {};
  const servers = limitServers([...new Set([...base.servers, ...nameservers])], warnings);
  const searches = limitSearches([...new Set([...base.searches, ...added])], warnings);
  const own = extra.map(({ name = '', value }) => ({ name, text: value ? `${name}:${value}` : name }));
  const kept = base.options.filter((option) => !own.some(({ name }) => option.split(':')[0] === name));
  const options = [...kept, ...own.map(({ text }) => text)];
  const lines = [
    ...(searches.length > 0 ? [`search ${searches.join(' ')}`] : []),
    ...servers.map((server) => `nameserver ${server}`),
    ...(options.length > 0 ? [`options ${options.join(' ')}`] : []),
  ];
  return { text: [...lines, ''].join('\n'), warnings };
}

export function wantsClusterDns({ spec }: Pod): boolean {
  const { dnsPolicy = 'ClusterFirst', hostNetwork } = spec ?? {};
  return dnsPolicy === 'ClusterFirstWithHostNet' || (dnsPolicy === 'ClusterFirst' && hostNetwork !== true);
}

function baseOf(pod: Pod, host: Resolver, cluster: ClusterDns, warnings: ResolvConf['warnings']): Resolver {
  const { dnsPolicy } = pod.spec ?? {};
  if (dnsPolicy === 'None') return { servers: [], searches: [], options: [] };
  if (!wantsClusterDns(pod)) return host;
  if (cluster.servers.length === 0) {
    const message = `kubelet does not have ClusterDNS IP configured and cannot create Pod using "${dnsPolicy ?? 'ClusterFirst'}" policy. Falling back to "Default" policy.`;
    warnings.push({ reason: 'MissingClusterDNS', message });
    return host;
  }
  const services = `svc.${cluster.domain}`;
  return {
    servers: cluster.servers,
    searches: [`${podNamespace(pod)}.${services}`, services, cluster.domain, ...host.searches],
    options: ['ndots:5'],
  };
}

function limitServers(servers: readonly string[], warnings: ResolvConf['warnings']): readonly string[] {
  if (servers.length <= maxServers) return servers;
  const kept = servers.slice(0, maxServers);
  const message = `Nameserver limits were exceeded, some nameservers have been omitted, the applied nameserver line is: ${kept.join(' ')}`;
  warnings.push({ reason: 'DNSConfigForming', message });
  return kept;
}

function limitSearches(searches: readonly string[], warnings: ResolvConf['warnings']): readonly string[] {
  const kept: string[] = [];
  let length = 0;
  for (const search of searches.slice(0, maxSearches)) {
    length += search.length + (kept.length > 0 ? 1 : 0);
    if (length > maxSearchLength) break;
    kept.push(search);
  }
  if (kept.length === searches.length) return searches;
  const message = `Search Line limits were exceeded, some search paths have been omitted, the applied search line is: ${kept.join(' ')}`;
  warnings.push({ reason: 'DNSConfigForming', message });
  return kept;
}

/** Of several `search` lines the last counts, as resolv.conf(5) says. */
export function parseResolvConf(text: string): Resolver {
  const resolver = { servers: [] as string[], searches: [] as string[], options: [] as string[] };
  for (const line of text.split('\n')) {
    const [keyword, ...values] = line.trim().split(/\s+/);
    if (keyword === 'nameserver') resolver.servers.push(...values.slice(0, 1));
    else if (keyword === 'search' || keyword === 'domain')
      resolver.searches = values.map((value) => (value === '.' ? value : value.replace(/\.$/, '')));
    else if (keyword === 'options') resolver.options.push(...values);
  }
  return resolver;
}
