/**
 * Which of this host's addresses other nodes reach it at, when no flag says so: the one from which it reaches the
 * master; on the master's own host the one of the default route. Called by `composition/membership.ts`.
 */
import { lookup } from 'node:dns/promises';
import { hostAddress, sourceAddress } from '../src/host/address.js';

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

const isLoopback = (ip: string): boolean => ip.startsWith('127.') || ip === '::1';
