/**
 * Which of this host's addresses others reach it at, as the kernel sees it. Called by the start of master and agent when
 * no flag names one.
 */
import { createSocket } from 'node:dgram';
import { networkInterfaces } from 'node:os';

/** For documentation: no host has it, so the kernel answers with the default route. */
const elsewhere = '203.0.113.1';

/**
 * The address packets to `destination` (an IP) leave from; undefined where no route leads. A connected UDP socket sends
 * nothing, it only makes the kernel choose.
 */
export function sourceAddress(destination: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = createSocket(destination.includes(':') ? 'udp6' : 'udp4');
    const finish = (address: string | undefined): void => {
      socket.close();
      resolve(address);
    };
    socket.once('error', () => finish(undefined));
    // Not as the callback of `connect`, which is called after a failure too.
    socket.once('connect', () => finish(socket.address().address));
    socket.connect(9, destination);
  });
}

/** The one the default route leaves from; without such a route the first that is up. Undefined when only loopback is. */
export async function hostAddress(): Promise<string | undefined> {
  const routed = await sourceAddress(elsewhere);
  if (routed !== undefined) return routed;
  const addresses = Object.values(networkInterfaces()).flatMap((entries) => entries ?? []);
  return addresses.find((entry) => entry.family === 'IPv4' && !entry.internal)?.address;
}
