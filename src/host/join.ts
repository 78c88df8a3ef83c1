/**
 * Two connections made one. Called by the tunnels of the master and of the agent.
 */
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';

/**
 * Bytes both ways until both are closed. Each direction ends by itself; a side that breaks takes the other along, one
 * that ends in order does so after everything was written. Never rejects.
 */
export async function join(a: Duplex, b: Duplex): Promise<void> {
  for (const side of [a, b]) sendAtOnce(side);
  const done = [closed(a, b), closed(b, a)];
  a.pipe(b);
  b.pipe(a);
  await Promise.all(done);
}

/** Small messages do not wait for the answer to the one before. */
export function sendAtOnce(connection: Duplex): void {
  if (connection instanceof Socket) connection.setNoDelay(true);
}

function closed(one: Duplex, other: Duplex): Promise<void> {
  return new Promise((resolve) => {
    const finish = (): void => {
      if (one.readableEnded && !other.destroyed) other.end(() => other.destroy());
      else other.destroy();
      resolve();
    };
    one.on('error', () => one.destroy());
    if (one.closed) finish();
    else one.once('close', finish);
  });
}
