/**
 * `/run/<namespace>/<pod>/<container>?cmd=...`: runs a command and answers what it wrote, as kubelet does without a
 * stream. Called by server.ts.
 */
import { Writable } from 'node:stream';
import { ApiError, badRequest } from '../../src/api/errors.js';
import type { Runtime } from '../runtime/runtime.js';

/** More output than this is cut: the answer is held in memory. */
const maxOutputBytes = 4 * 1024 * 1024;

/**
 * stdout, then stderr. `cmd` once is split at spaces, as kubelet splits it; given several times, each is one argument.
 * Throws 400 without a command and 500 with the output when the command fails.
 */
export async function runCommand(
  runtime: Pick<Runtime, 'exec'>,
  id: string,
  query: URLSearchParams,
  signal: AbortSignal,
): Promise<Buffer> {
  const given = query.getAll('cmd');
  const command = given.length === 1 ? (given[0] ?? '').split(' ').filter((part) => part !== '') : given;
  if (command.length === 0) throw badRequest('cmd is required');
  const stdout = collect();
  const stderr = collect();
  const code = await runtime.exec(
    id,
    { command, tty: false, stdout: stdout.stream, stderr: stderr.stream },
    signal,
  );
  const output = Buffer.concat([stdout.bytes(), stderr.bytes()]);
  if (code === 0) return output;
  throw new ApiError('InternalError', `command '${command.join(' ')}' exited with ${code}: ${output}`);
}

function collect(): { stream: Writable; bytes(): Buffer } {
  const chunks: Buffer[] = [];
  let left = maxOutputBytes;
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      if (left > 0) chunks.push(chunk.subarray(0, left));
      left -= chunk.length;
      done();
    },
  });
  return { stream, bytes: () => Buffer.concat(chunks) };
}
