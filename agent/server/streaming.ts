/**
 * Runs a command in a container, or attaches to it, for a WebSocket client. Called by server.ts after it let the client
 * in and found the container.
 *
 * A client that goes away takes its command with it: nothing is left running that nobody can see or stop.
 */
import type { WebSocket } from 'ws';
import { badRequest } from '../../src/api/errors.js';
import { isTrue } from '../logs/options.js';
import type { ExecSpec, Runtime } from '../runtime/runtime.js';
import { type ChannelProtocol, Channels, channel } from './channels.js';
import { exitStatus, failureStatus } from './outcome.js';

export interface StreamRequest {
  command: readonly string[];
  stdin: boolean;
  stdout: boolean;
  stderr: boolean;
  tty: boolean;
}

/** kubelet's names, or those of the pod subresource. Throws 400 when there is nothing to stream. */
export function parseStreamRequest(query: URLSearchParams): StreamRequest {
  const isSet = (...names: string[]): boolean => names.some((name) => isTrue(query.get(name)));
  const tty = isSet('tty');
  const request = {
    command: query.getAll('command'),
    stdin: isSet('input', 'stdin'),
    stdout: isSet('output', 'stdout'),
    // A terminal has one output.
    stderr: !tty && isSet('error', 'stderr'),
    tty,
  };
  if (request.stdin || request.stdout || request.stderr) return request;
  throw badRequest('you must specify at least 1 of stdin, stdout, stderr');
}

/** Resolves when the stream is over and the client was told how it ended. Never rejects for what the command did. */
export async function serveStream(
  runtime: Pick<Runtime, 'exec' | 'attach'>,
  connection: { socket: WebSocket; protocol: ChannelProtocol },
  what: StreamRequest & { verb: 'exec' | 'attach'; id: string },
): Promise<void> {
  const { socket, protocol } = connection;
  const channels = new Channels(socket, { protocol, takesInput: what.stdin });
  const gone = new AbortController();
  socket.once('close', () => gone.abort(new Error('the client closed the connection')));
  const spec: Omit<ExecSpec, 'command'> = {
    tty: what.tty,
    stdin: what.stdin ? channels.stdin : undefined,
    stdout: what.stdout ? channels.output(channel.stdout) : undefined,
    stderr: what.stderr ? channels.output(channel.stderr) : undefined,
    resize: what.tty ? channels.sizes() : undefined,
  };
  await channels.open(what.stdout ? channel.stdout : what.stderr ? channel.stderr : channel.error);
  try {
    if (what.verb === 'attach') await runtime.attach(what.id, spec, gone.signal);
    const code =
      what.verb === 'exec' ? await runtime.exec(what.id, { ...spec, command: what.command }, gone.signal) : 0;
    await channels.finish(exitStatus(code, what.command));
  } catch (error) {
    if (gone.signal.aborted) return;
    await channels.finish(failureStatus(error));
  }
}
