/**
 * Runs a command in a container, or attaches to it, for a client of any protocol. Called by upgrades.ts after it let
 * the client in and found the container.
 *
 * A client that goes away takes its command with it: nothing is left running that nobody can see or stop.
 */
import { badRequest } from '../../src/api/errors.js';
import { isTrue } from '../logs/options.js';
import type { ExecSpec, Runtime } from '../runtime/runtime.js';
import { exitStatus, failureStatus } from './outcome.js';
import type { StreamClient } from './streamclient.js';

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
  client: StreamClient,
  what: StreamRequest & { verb: 'exec' | 'attach'; id: string },
): Promise<void> {
  const spec: Omit<ExecSpec, 'command'> = {
    tty: what.tty,
    stdin: what.stdin ? client.stdin : undefined,
    stdout: what.stdout ? client.stdout : undefined,
    stderr: what.stderr ? client.stderr : undefined,
    resize: what.tty ? client.sizes() : undefined,
  };
  try {
    if (what.verb === 'attach') await runtime.attach(what.id, spec, client.gone);
    const code =
      what.verb === 'exec' ? await runtime.exec(what.id, { ...spec, command: what.command }, client.gone) : 0;
    await client.finish(exitStatus(code, what.command));
  } catch (error) {
    if (client.gone.aborted) return;
    await client.finish(failureStatus(error));
  }
}
