/**
 * How this node runs pods, where the flags of the agent say so. Names and meanings are those of kubelet's flags.
 */
import { dnsSubdomainErrors } from '../../src/api/names.js';
import { networkFlags, parsedFlag, pathFlag, type RawFlags } from '../../src/host/config.js';
import { addressAt, mustParseCidr } from '../../src/net/cidr.js';
import { isIp } from '../../src/net/ip.js';
import { parseSysctlPatterns } from './sysctls.js';

export interface PodConfig {
  /** `--cluster-dns`; none: `ClusterFirst` falls back to the node's resolver. */
  clusterDns: readonly string[];
  /** `--cluster-domain`. */
  clusterDomain: string;
  /** The API's Service: the first address of `--service-cidr`. */
  apiAddress: string | undefined;
  /** `--resolv-conf`: the host's resolver as pods get it. */
  resolvConf: string;
  /** `--allowed-unsafe-sysctls`. */
  allowedUnsafeSysctls: readonly string[];
  /** `--seccomp-default`: `RuntimeDefault` for containers that say nothing; else they run unconfined. */
  seccompDefault: boolean;
  /** Where profiles of type `Localhost` are: `<data-dir>/agent/seccomp`. */
  seccompDirectory: string;
}

export const podConfigDefaults: PodConfig = {
  clusterDns: [],
  clusterDomain: 'cluster.local',
  apiAddress: undefined,
  resolvConf: '/etc/resolv.conf',
  allowedUnsafeSysctls: [],
  seccompDefault: false,
  seccompDirectory: '/var/lib/wherry/agent/seccomp',
};

/** Throws an `Error` that names the flag, see `src/host/config.ts`. */
export function parsePodConfig(raw: RawFlags): PodConfig {
  return {
    clusterDns: parsedFlag(raw, 'cluster-dns', parseServers, []),
    clusterDomain: parsedFlag(raw, 'cluster-domain', parseDomain, podConfigDefaults.clusterDomain),
    apiAddress: addressAt(mustParseCidr(networkFlags(raw).serviceCidr), 1),
    resolvConf: pathFlag(raw, 'resolv-conf', podConfigDefaults.resolvConf),
    allowedUnsafeSysctls: parsedFlag(raw, 'allowed-unsafe-sysctls', parseSysctlPatterns, []),
    seccompDefault: parsedFlag(raw, 'seccomp-default', parseFlag, false),
    seccompDirectory: `${pathFlag(raw, 'data-dir', '/var/lib/wherry')}/agent/seccomp`,
  };
}

function parseServers(text: string): string[] {
  const servers = text.split(',').map((part) => part.trim());
  const wrong = servers.find((server) => !isIp(server));
  if (wrong !== undefined) throw new Error(`${JSON.stringify(wrong)} is no IP address`);
  return servers;
}

function parseDomain(text: string): string {
  const domain = text.replace(/\.$/, '');
  if (dnsSubdomainErrors(domain).length > 0) throw new Error(`${JSON.stringify(text)} is no DNS domain`);
  return domain;
}

function parseFlag(text: string): boolean {
  if (text !== 'true' && text !== 'false') throw new Error(`${JSON.stringify(text)} must be true or false`);
  return text === 'true';
}
