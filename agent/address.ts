/**
 * Which of this host's addresses other nodes reach it at, when no flag says so: the one from which it reaches the
 * master; on the master's own host the one of the default route. Called by `main.ts` at the start.
 */
import { createSocket } from 'node:dgram';
import { lookup } from 'node:dns/promises';

/** For documentation: no host has it, so the kernel answers with the default route. */
const elsewhere = '203.0.113.1';

/** Rejects when no route leads out: then a flag has to name the address. */
export async function findNodeIp(server: string): Promise<string> {
  const { hostname } = new URL(server);
  const { address } = await lookup(hostname.replace(/^\[|\]$/g, ''));
  const towardsMaster = await sourceAddress(address);
  if (towardsMaster && !isLoopback(towardsMaster)) return towardsMaster;
  const towardsWorld = await sourceAddress(elsewhere);
  if (towardsWorld && !isLoopback(towardsWorld)) return towardsWorld;
  throw new Error('cannot find the address of this node; name it with --node-ip');
}

const isLoopback = (ip: string): boolean => ip.startsWith('127.') || ip === '::1';

/** A connected UDP socket sends nothing, it only makes the kernel choose a source. Undefined where no route leads. */
function sourceAddress(destination: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = createSocket(destination.includes(':') ? 'udp6' : 'udp4');
    const finish = (address: string | undefined): void => {
      socket.close();
      resolve(address);
    };
    socket.once('error', () => finish(undefined));
    socket.connect(9, destination, () => finish(socket.address().address));
  });
}
