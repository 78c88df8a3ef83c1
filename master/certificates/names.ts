/**
 * What the API server's certificate says it is called: names and addresses from flags, and every address of the host by
 * which somebody may come. Asked again with every look at the certificates, so that a new interface gets into them.
 */
import { hostname, type NetworkInterfaceInfo, networkInterfaces } from 'node:os';
import { hostAddress } from '../../src/host/address.js';
import { containsIp, mustParseCidr } from '../../src/net/cidr.js';
import { parseIp } from '../../src/net/ip.js';
import { type ApiAddress, apiServiceIp } from '../bootstrap.js';
import type { CertificateOptions } from './options.js';

export interface ServingNames {
  dnsNames: string[];
  ips: string[];
}

export interface NamesOptions {
  bindAddress: string;
  clusterCidr: string;
  serviceCidr: string;
  certificates: Pick<CertificateOptions, 'tlsSans'>;
}

type Interfaces = NodeJS.Dict<Pick<NetworkInterfaceInfo, 'address' | 'internal'>[]>;

/** A host with more addresses than this has them for something else. */
const maxAddresses = 64;

/** Pure. Sorted, so that the order of interfaces changes nothing. */
export function servingNames(
  options: NamesOptions,
  api: Pick<ApiAddress, 'address'>,
  host: { name: string; interfaces: Interfaces },
): ServingNames {
  const { bindAddress, serviceCidr, certificates } = options;
  const found = isAny(bindAddress) ? reachable(host.interfaces, options).sort() : [bindAddress];
  return {
    dnsNames: [...new Set([host.name, ...certificates.tlsSans.dnsNames])],
    ips: [...new Set([api.address, apiServiceIp(serviceCidr), ...certificates.tlsSans.ips, ...found])],
  };
}

/** Of interfaces to other hosts; not those of pods and Services, nor what no other host can send to. */
function reachable(interfaces: Interfaces, { clusterCidr, serviceCidr }: NamesOptions): string[] {
  const inside = [mustParseCidr(clusterCidr), mustParseCidr(serviceCidr)];
  const all = Object.values(interfaces).flatMap((entries) => entries ?? []);
  return all
    .filter(({ address, internal }) => {
      const ip = parseIp(address);
      if (internal || !ip || /^(?:169\.254\.|fe80:)/i.test(address)) return false;
      return !inside.some((cidr) => cidr.family === ip.family && containsIp(cidr, ip));
    })
    .map(({ address }) => address)
    .slice(0, maxAddresses);
}

export const hostNow = (): { name: string; interfaces: Interfaces } => ({
  name: hostname(),
  interfaces: networkInterfaces(),
});

/** Whether the address means every one of the host. */
const isAny = (bindAddress: string): boolean => /^(?:0\.0\.0\.0|::)$/.test(bindAddress);

/** At which address others are told to come, at the start. */
export async function findAdvertised(options: {
  advertiseAddress: string | undefined;
  bindAddress: string;
}): Promise<string> {
  if (options.advertiseAddress) return options.advertiseAddress;
  return isAny(options.bindAddress) ? ((await hostAddress()) ?? '127.0.0.1') : options.bindAddress;
}

/** The same address while the host has it, unless a flag names it; else the one that it is reached at now. */
export async function lookAgain(
  options: { advertiseAddress: string | undefined; bindAddress: string },
  present: string,
  { interfaces }: { interfaces: Interfaces },
): Promise<string> {
  if (options.advertiseAddress || !isAny(options.bindAddress)) return present;
  const has = Object.values(interfaces).some((entries) =>
    entries?.some(({ address }) => address === present),
  );
  return has ? present : ((await hostAddress()) ?? present);
}
