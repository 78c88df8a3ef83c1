/**
 * HTTP CONNECT to the pods of this node: how the master reaches them for its proxies, from wherever it runs. Called by
 * server.ts after it let the client in.
 */
import { badRequest } from '../../src/api/errors.js';
import { join } from '../../src/host/join.js';
import type { PodDialer } from './poddial.js';
import { parsePort } from './portforward.js';
import type { Upgrade } from './upgrades.js';

/** Resolves when the client was answered. Throws what it is to be told instead: 400, 403, 503. */
export async function serveConnect(dialer: PodDialer, { request, socket, head }: Upgrade): Promise<void> {
  const { host, port } = parseAuthority(request.url ?? '');
  const pod = await dialer.address(host, port);
  if (socket.destroyed) {
    pod.destroy();
    return;
  }
  socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
  if (head.length > 0) pod.write(head);
  void join(pod, socket);
}

/** `10.244.0.5:80` or `[fd00::5]:80`. */
function parseAuthority(authority: string): { host: string; port: number } {
  const [, six, four, digits] = /^(?:\[([\da-fA-F:.]+)\]|([\d.]+)):(\d+)$/.exec(authority) ?? [];
  const host = six ?? four;
  const port = parsePort(digits);
  if (host === undefined || port === undefined)
    throw badRequest(`${JSON.stringify(authority)} is no address and port`);
  return { host, port };
}
