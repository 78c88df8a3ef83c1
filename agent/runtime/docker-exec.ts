/**
 * 8. Commands in containers and attaching to them, over Docker's hijacked connections. Used by docker.ts.
 *
 * Docker has no call to end an exec and lets it run on when the connection breaks; so an abort looks up its process and
 * kills it and its children on this host. Input is closed half, output is written one frame at a time (backpressure).
 */
import { Duplex, type Readable, type Writable } from 'node:stream';
import { createBackoff } from '../../src/client/backoff.js';
import { createStop } from '../../src/client/wait.js';
import { type DockerClient, deadlines } from './docker-client.js';
import { toRuntimeError } from './docker-errors.js';
import { readFrames, readRaw } from './docker-frames.js';
import { killTree } from './processes.js';
import { type ExecSpec, RuntimeError } from './runtime.js';

/** How long the last output of a container that has ended may take to arrive. */
const lastOutputMs = 1000;

type Streams = Omit<ExecSpec, 'command'>;

interface ExecState {
  Running: boolean;
  /** null while it runs or before it does. */
  ExitCode: number | null;
  /** On this host. */
  Pid: number;
}

export class DockerExec {
  readonly #client: DockerClient;

  constructor(client: DockerClient) {
    this.#client = client;
  }

  async run(containerId: string, spec: ExecSpec, signal: AbortSignal): Promise<number> {
    const id = await this.#create(containerId, spec, signal);
    try {
      const options = { hijack: true, stdin: spec.stdin !== undefined, Tty: spec.tty };
      const socket = await this.#client.call(
        deadlines.slow,
        (docker, abortSignal) => docker.getExec(id).start({ ...options, abortSignal }),
        signal,
      );
      const docker = await this.#client.docker();
      await this.#stream(asDuplex(socket), spec, {
        signal,
        resize: (size, abortSignal) => docker.getExec(id).resize({ ...size, abortSignal }),
      });
      return await this.#exitCode(id, signal);
    } catch (error) {
      if (signal.aborted) await this.#kill(id);
      throw error;
    }
  }

  /** Docker attaches to what has ended too, and then waits for its next start; so it is looked whether it runs. */
  async attach(containerId: string, spec: Streams, signal: AbortSignal): Promise<void> {
    if (!(await this.#isRunning(containerId))) throw notRunning();
    const output = { stream: true, stdout: true, stderr: true };
    const options = { ...output, hijack: true, stdin: spec.stdin !== undefined };
    const socket = await this.#client.call(
      deadlines.quick,
      (docker, abortSignal) => docker.getContainer(containerId).attach({ ...options, abortSignal }),
      signal,
    );
    const docker = await this.#client.docker();
    const over = createStop();
    over.follow(signal);
    const streaming = this.#stream(asDuplex(socket), spec, {
      signal: over.signal,
      resize: (size, abortSignal) => docker.getContainer(containerId).resize({ ...size, abortSignal }),
    }).finally(() => over.abort());
    // It may have ended between the look and the connection.
    const looking = this.#isRunning(containerId).then(
      async (isRunning) => {
        if (isRunning) return;
        await this.#client.clock.sleep(lastOutputMs, over.signal).catch(() => undefined);
        over.abort(notRunning());
      },
      // A Docker that does not answer is for the connection to notice.
      () => undefined,
    );
    await Promise.all([streaming, looking]);
  }

  async #isRunning(containerId: string): Promise<boolean> {
    const { State: state } = await this.#client.call(deadlines.quick, (docker, abortSignal) =>
      docker.getContainer(containerId).inspect({ abortSignal }),
    );
    return state.Running;
  }

  #create(containerId: string, spec: ExecSpec, signal: AbortSignal): Promise<string> {
    const options = {
      Cmd: [...spec.command],
      Tty: spec.tty,
      AttachStdin: spec.stdin !== undefined,
      AttachStdout: true,
      AttachStderr: !spec.tty,
    };
    return this.#client.call(
      deadlines.quick,
      async (docker, abortSignal) =>
        (await docker.getContainer(containerId).exec({ ...options, abortSignal })).id,
      signal,
    );
  }

  /** Moves bytes both ways until the output ends. Rejects with the signal's reason when it aborts. */
  async #stream(
    socket: Duplex,
    spec: Streams,
    control: {
      signal: AbortSignal;
      resize: (size: { w: number; h: number }, abortSignal: AbortSignal) => Promise<unknown>;
    },
  ): Promise<void> {
    const { signal } = control;
    const finished = new AbortController();
    const abort = (): void => void socket.destroy();
    signal.addEventListener('abort', abort, { once: true });
    if (signal.aborted) abort();
    const resizing = this.#resize(spec.resize, control.resize, finished.signal);
    try {
      if (spec.stdin) feed(spec.stdin, socket);
      await deliver(socket, spec);
    } catch (error) {
      if (!signal.aborted) throw toRuntimeError(error);
    } finally {
      signal.removeEventListener('abort', abort);
      finished.abort();
      spec.stdin?.unpipe(socket);
      socket.destroy();
      await resizing;
    }
    signal.throwIfAborted();
  }

  async #resize(
    sizes: ExecSpec['resize'],
    apply: (size: { w: number; h: number }, abortSignal: AbortSignal) => Promise<unknown>,
    finished: AbortSignal,
  ): Promise<void> {
    if (!sizes) return;
    const iterator = sizes[Symbol.asyncIterator]();
    const ended = new Promise<undefined>((resolve) =>
      finished.addEventListener('abort', () => resolve(undefined)),
    );
    for (;;) {
      const next = await Promise.race([iterator.next(), ended]);
      if (next === undefined || next.done) return;
      const size = { w: next.value.width, h: next.value.height };
      // The process may not run yet, or no longer; a terminal of the wrong size is no reason to fail.
      for (let tries = 0; tries < 20 && !finished.aborted; tries += 1) {
        const applied = await apply(size, finished).then(
          () => true,
          () => false,
        );
        if (applied) break;
        await this.#client.clock.sleep(25, finished).catch(() => undefined);
      }
    }
  }

  #inspect(id: string): Promise<ExecState> {
    return this.#client.call(deadlines.quick, (docker, abortSignal) =>
      docker.getExec(id).inspect({ abortSignal }),
    );
  }

  /** The output ends a moment before Docker knows the code; much before, when the command closed its output itself. */
  async #exitCode(id: string, signal: AbortSignal): Promise<number> {
    const wait = createBackoff({ minMs: 5, maxMs: 1000 });
    let state = await this.#inspect(id);
    while (state.Running || state.ExitCode === null) {
      await this.#client.clock.sleep(wait.next(), signal);
      state = await this.#inspect(id);
    }
    return state.ExitCode;
  }

  async #kill(id: string): Promise<void> {
    // A second look, because the process may only just be starting.
    for (let tries = 0; tries < 20; tries += 1) {
      const { Running: running, Pid: pid, ExitCode: exitCode } = await this.#inspect(id);
      if (running && pid > 0) return killTree(pid);
      if (!running && exitCode !== null) return;
      await this.#client.clock.sleep(25, new AbortController().signal);
    }
  }
}

const notRunning = (): RuntimeError => new RuntimeError('conflict', 'the container is not running');

/** A hijacked connection is the socket itself. */
function asDuplex(stream: NodeJS.ReadWriteStream): Duplex {
  if (stream instanceof Duplex) return stream;
  throw new RuntimeError('failed', 'Docker did not hand over the connection');
}

/** Input to the command; its end is the command's end of file. A broken source ends it too. */
function feed(stdin: Readable, socket: Duplex): void {
  stdin.once('error', () => socket.end());
  // The command may end before its input does; that is for the output side to notice.
  socket.on('error', () => stdin.unpipe(socket));
  stdin.pipe(socket);
}

async function deliver(socket: Readable, spec: Streams): Promise<void> {
  for await (const { stream, data } of spec.tty ? readRaw(socket) : readFrames(socket)) {
    const target = spec.tty ? spec.stdout : spec[stream];
    if (target) await write(target, data);
  }
}

const write = (target: Writable, data: Buffer): Promise<void> =>
  new Promise((resolve, reject) => {
    target.write(data, (error) => (error ? reject(error) : resolve()));
  });
