/**
 * Port-forward over WebSocket channels, as `@kubernetes/client-node` and browsers speak it: ports in the query, two
 * channels per port (data, error), each opening with the port as a little-endian 16-bit number. Called by upgrades.ts.
 */
import { Duplex, PassThrough } from 'node:stream';
import type { WebSocket } from 'ws';
import { badRequest } from '../../src/api/errors.js';
import { type ChannelProtocol, Channels } from './channels.js';
import { forward, type PortTarget, parsePort } from './portforward.js';
import type { StreamWatch } from './streamwatch.js';

/** `port` of kubelet or `ports` of the API, repeated or with commas. Throws 400. */
export function parsePorts(query: URLSearchParams): number[] {
  const texts = [...query.getAll('port'), ...query.getAll('ports')].flatMap((text) => text.split(','));
  if (texts.length === 0) throw badRequest('query parameter "port" is required');
  if (texts.length > 127) throw badRequest('too many ports');
  return texts.map((text) => {
    const port = parsePort(text);
    if (port === undefined) throw badRequest(`unable to parse ${JSON.stringify(text)} as a port`);
    return port;
  });
}

/** Resolves when all of its connections have ended and the WebSocket is closed. Never rejects. */
export async function servePortSocket(
  socket: WebSocket,
  protocol: ChannelProtocol,
  { ports, watch, ...target }: PortTarget & { ports: readonly number[]; watch: StreamWatch },
): Promise<void> {
  const channels = new Channels(socket, protocol, watch);
  await Promise.all(
    ports.map(async (port, index) => {
      const [data, error] = [index * 2, index * 2 + 1];
      const number = Buffer.alloc(2);
      number.writeUInt16LE(port);
      const input = channels.input(data);
      await channels.send(data, number);
      await channels.send(error, number);
      const errors = new PassThrough();
      const told = errors.pipe(channels.output(error));
      const stream = Duplex.from({ readable: input, writable: channels.output(data) });
      // This protocol has no end of one direction: when the program has ended, so has its input.
      stream.once('finish', () => channels.endInput(data, input));
      await forward(target, port, { data: stream, error: errors });
      await new Promise((resolve) =>
        told.writableFinished ? resolve(undefined) : told.once('finish', resolve),
      );
    }),
  );
  channels.close();
}
