/**
 * 8. The connection to Docker: dockerode, loaded when first needed (it costs a quarter of a second), on a keep-alive
 * agent, with a deadline on every call. Used by all docker-*.ts.
 *
 * `call` is for answers that end; its errors are `RuntimeError`s. Streams use `docker()` and set their own rules.
 */
import { Agent } from 'node:http';
import type { Readable } from 'node:stream';
import { inspect } from 'node:util';
import type Docker from 'dockerode';
import type { Clock } from '../../src/host/clock.js';
import { DeadlineExceeded, toRuntimeError } from './docker-errors.js';

export interface DockerClientOptions {
  socketPath: string;
  clock: Clock;
}

/** Docker 20.10 is the oldest we support; newer ones serve this version still. */
const apiVersion = 'v1.41';

/** What a call may take, milliseconds; a hung daemon is noticed after this. */
export const deadlines = {
  /** Reads. */
  quick: 10_000,
  /** Create, start, remove: disk and runc. */
  slow: 60_000,
};

export class DockerClient {
  readonly clock: Clock;
  readonly #socketPath: string;
  // Sockets are kept, not limited: Docker orders the work itself, and long streams each hold one.
  readonly #agent = new Agent({ keepAlive: true, maxFreeSockets: 16 });
  #docker: Promise<Docker> | undefined;

  constructor(options: DockerClientOptions) {
    this.#socketPath = options.socketPath;
    // docker-modem formats its options, this agent and all of its sockets included, for a debug line on every call.
    Object.defineProperty(this.#agent, inspect.custom, { value: () => 'Agent' });
    this.clock = options.clock;
  }

  docker(): Promise<Docker> {
    this.#docker ??= import('./docker-load.js').then(({ loadDockerode }) => {
      const Dockerode = loadDockerode();
      // Handed on whole, because dockerode's types do not know `agent` yet.
      return new Dockerode(
        Object.assign({ socketPath: this.#socketPath, version: apiVersion }, { agent: this.#agent }),
      );
    });
    return this.#docker;
  }

  /** Runs one call with a deadline. `signal` aborts it early and rejects with its own reason. */
  async call<T>(
    deadlineMs: number,
    run: (docker: Docker, abortSignal: AbortSignal) => Promise<T>,
    signal?: AbortSignal,
  ): Promise<T> {
    const docker = await this.docker();
    signal?.throwIfAborted();
    const stop = new AbortController();
    const onAbort = (): void => stop.abort();
    signal?.addEventListener('abort', onAbort, { once: true });
    const cancel = this.clock.after(deadlineMs, () => stop.abort());
    try {
      return await run(docker, stop.signal);
    } catch (error) {
      signal?.throwIfAborted();
      const expired = new DeadlineExceeded(`no answer within ${deadlineMs / 1000} s`);
      throw toRuntimeError(stop.signal.aborted ? expired : error);
    } finally {
      cancel();
      signal?.removeEventListener('abort', onAbort);
    }
  }

  /** A GET whose options dockerode's types do not know, answered as JSON. */
  async get<T>(path: string, query: object, abortSignal: AbortSignal): Promise<T> {
    return (await this.#dial({ path: `${path}?`, options: query, abortSignal })) as T;
  }

  /** A GET whose answer is a stream; aborting ends it. */
  async stream(path: string, query: object, abortSignal: AbortSignal): Promise<Readable> {
    return (await this.#dial({ path: `${path}?`, options: query, abortSignal, isStream: true })) as Readable;
  }

  async #dial(options: {
    path: string;
    options: object;
    abortSignal: AbortSignal;
    isStream?: true;
  }): Promise<unknown> {
    const docker = await this.docker();
    const request = { method: 'GET', statusCodes: { 200: true }, ...options };
    return new Promise((resolve, reject) => {
      docker.modem.dial(request, (error: unknown, answer: unknown) =>
        error ? reject(error) : resolve(answer),
      );
    });
  }

  /** Closes idle connections, so that the process can end. */
  close(): void {
    this.#agent.destroy();
  }
}
