/**
 * Which of this host's addresses other nodes reach it at, when no flag says so: the one from which it reaches the
 * master; on the master's own host the one of the default route. Called by `composition/membership.ts`.
 */
import { lookup } from 'node:dns/promises';
import { hostAddress, sourceAddress } from '../src/host/address.js';
import { indexOf, mustParseCidr } from '../src/net/cidr.js';

/** Rejects when there is none but loopback: then a flag has to name the address. */
export async function findNodeIp(server: string): Promise<string> {
  const { hostname } = new URL(server);
  const { address } = await lookup(hostname.replace(/^\[|\]$/g, ''));
  const towardsMaster = await sourceAddress(address);
  if (towardsMaster && !isLoopback(towardsMaster)) return towardsMaster;
  const own = await hostAddress();
  if (own && !isLoopback(own)) return own;
  throw new Error('cannot find the address of this node; name it with --node-ip');
}

/** Throws for an address that a Service may have: packets to it go elsewhere, and no certificate is signed for it. */
export function refuseServiceAddress(ip: string, serviceCidr: string): void {
  if (indexOf(mustParseCidr(serviceCidr), ip) === undefined) return;
  throw new Error(
    `the address of this node, ${ip}, lies in the network of Services, ${serviceCidr}: name another one with --node-ip, or set up the cluster with another --service-cidr`,
  );
}

const isLoopback = (ip: string): boolean => ip.startsWith('127.') || ip === '::1';
