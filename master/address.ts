/**
 * Which of this host's addresses others reach the API at, when no flag says so: the one the default route leaves from,
 * as the kernel answers it; without a route any that is up. Called by `main.ts` at start.
 */
import { createSocket } from 'node:dgram';
import { networkInterfaces } from 'node:os';

/** A connected UDP socket sends nothing, it only makes the kernel choose a source. The address is for documentation. */
const elsewhere = { address: '203.0.113.1', port: 9 };

export async function findAdvertiseAddress(): Promise<string> {
  const routed = await sourceAddress();
  if (routed !== undefined) return routed;
  const addresses = Object.values(networkInterfaces()).flatMap((entries) => entries ?? []);
  const usable = addresses.find((entry) => entry.family === 'IPv4' && !entry.internal);
  return usable?.address ?? '127.0.0.1';
}

/** Undefined where no route leads out. */
function sourceAddress(): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = createSocket('udp4');
    const finish = (address: string | undefined): void => {
      socket.close();
      resolve(address);
    };
    socket.once('error', () => finish(undefined));
    socket.connect(elsewhere.port, elsewhere.address, () => finish(socket.address().address));
  });
}
