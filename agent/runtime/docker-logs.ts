/**
 * 8. Reading a container's json-file log through Docker, which knows about rotation. Used by docker.ts.
 *
 * Every message of the log comes as one frame: time, space, text. Docker cuts lines at 16 KB; all parts but the last
 * come without a newline and are marked `partial`. A terminal's log has no frames and is cut at newlines.
 */
import type { Readable } from 'node:stream';
import { createStop } from '../../src/client/wait.js';
import { type DockerClient, deadlines } from './docker-client.js';
import { toRuntimeError } from './docker-errors.js';
import { type Frame, readFrames, readRaw } from './docker-frames.js';
import type { LogLine, LogOptions } from './runtime.js';

export async function* dockerLogs(
  client: DockerClient,
  id: string,
  options: LogOptions,
): AsyncGenerator<LogLine, void, undefined> {
  const { signal } = options;
  if (signal.aborted) return;
  // Aborts when the reader stops early, so that no connection is left behind.
  const stop = createStop();
  stop.follow(signal);
  try {
    const tty = await client.call(deadlines.quick, async (docker, abortSignal) => {
      return (await docker.getContainer(id).inspect({ abortSignal })).Config.Tty;
    });
    const source = await open(client, id, options, stop.signal);
    for await (const frame of tty ? readLines(source) : readFrames(source)) yield parse(frame);
  } catch (error) {
    if (!signal.aborted) throw toRuntimeError(error);
  } finally {
    stop.abort();
  }
}

function open(
  client: DockerClient,
  id: string,
  options: LogOptions,
  abortSignal: AbortSignal,
): Promise<Readable> {
  const query = {
    follow: options.follow,
    stdout: true,
    stderr: true,
    timestamps: true,
    ...(options.tailLines !== undefined && { tail: options.tailLines }),
    ...(options.since && { since: options.since.getTime() / 1000 }),
  };
  return client.stream(`/containers/${id}/logs`, query, abortSignal);
}

/** Cuts a terminal's log, which has no frames, into one frame per line. */
async function* readLines(source: Readable): AsyncGenerator<Frame, void, undefined> {
  let rest = Buffer.alloc(0);
  for await (const { data } of readRaw(source)) {
    rest = Buffer.concat([rest, data]);
    for (let end = rest.indexOf('\n'); end >= 0; end = rest.indexOf('\n')) {
      yield { stream: 'stdout', data: rest.subarray(0, end + 1) };
      rest = rest.subarray(end + 1);
    }
  }
  if (rest.length > 0) yield { stream: 'stdout', data: rest };
}

function parse({ stream, data }: Frame): LogLine {
  const space = data.indexOf(' ');
  const complete = data.at(-1) === 0x0a;
  return {
    stream,
    time: data.toString('latin1', 0, space),
    text: data.subarray(space + 1, complete ? data.length - 1 : data.length),
    ...(!complete && { partial: true }),
  };
}
