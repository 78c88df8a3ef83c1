/**
 * 8. The connection to Docker: dockerode, loaded when first needed (it costs a quarter of a second), on a keep-alive
 * agent, with a deadline on every call. Used by all docker-*.ts.
 *
 * `call` is for answers that end; its errors are `RuntimeError`s. Streams use `docker()` and set their own rules.
 * The version of the API is agreed upon before the first call, and again when `daemon()` finds another daemon.
 */
import { Agent } from 'node:http';
import type { Readable } from 'node:stream';
import { inspect } from 'node:util';
import type Docker from 'dockerode';
import type { Clock } from '../../src/host/clock.js';
import { DeadlineExceeded, toRuntimeError } from './docker-errors.js';
import { type ApiVersion, agreeOnApi } from './docker-version.js';

export interface DockerClientOptions {
  socketPath: string;
  clock: Clock;
}

/** What a daemon says of itself, in `/version`. */
export interface DockerDaemon {
  Version: string;
  ApiVersion: string;
  MinAPIVersion?: string;
  Arch: string;
}

/** What a call may take, milliseconds; a hung daemon is noticed after this. */
export const deadlines = {
  /** Whether it is there at all: a node looks every ten seconds and says within fifteen that its runtime is down. */
  probe: 4_000,
  /** What it has told before and hardly ever changes. */
  repeated: 1_000,
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
  #library: Promise<typeof Docker> | undefined;
  #docker: Promise<Docker> | undefined;
  #api: ApiVersion | undefined;

  constructor(options: DockerClientOptions) {
    this.#socketPath = options.socketPath;
    // docker-modem formats its options, this agent and all of its sockets included, for a debug line on every call.
    Object.defineProperty(this.#agent, inspect.custom, { value: () => 'Agent' });
    this.clock = options.clock;
  }

  /** Bound to the version agreed upon; asks the daemon for it where that is not known yet. */
  docker(): Promise<Docker> {
    this.#docker ??= this.#agree().catch((error: unknown) => {
      this.#docker = undefined;
      throw error;
    });
    return this.#docker;
  }

  /** Asks the daemon who it is, outside of any version of the API. */
  async daemon(): Promise<DockerDaemon & { api: ApiVersion }> {
    const unbound = await this.#open();
    const daemon = await this.#within(deadlines.probe, (abortSignal) =>
      dial<DockerDaemon>(unbound, { path: '/version', abortSignal }),
    );
    const api = agreeOnApi(daemon);
    if (this.#api !== undefined && this.#api.text !== api.text) this.#docker = undefined;
    this.#api = api;
    return { ...daemon, api };
  }

  /** What the API agreed upon can. */
  async api(): Promise<ApiVersion> {
    return this.#api ?? (await this.daemon()).api;
  }

  async #agree(): Promise<Docker> {
    return this.#open(await this.api());
  }

  async #open(api?: ApiVersion): Promise<Docker> {
    this.#library ??= import('./docker-load.js').then(({ loadDockerode }) => loadDockerode());
    const Dockerode = await this.#library;
    const version = api && { version: `v${api.text}` };
    // Handed on whole, because dockerode's types do not know `agent` yet.
    return new Dockerode(Object.assign({ socketPath: this.#socketPath, ...version }, { agent: this.#agent }));
  }

  /** Runs one call with a deadline. `signal` aborts it early and rejects with its own reason. */
  async call<T>(
    deadlineMs: number,
    run: (docker: Docker, abortSignal: AbortSignal) => Promise<T>,
    signal?: AbortSignal,
  ): Promise<T> {
    signal?.throwIfAborted();
    const docker = await this.docker();
    return this.#within(deadlineMs, (abortSignal) => run(docker, abortSignal), signal);
  }

  async #within<T>(
    deadlineMs: number,
    run: (abortSignal: AbortSignal) => Promise<T>,
    signal?: AbortSignal,
  ): Promise<T> {
    signal?.throwIfAborted();
    const stop = new AbortController();
    const onAbort = (): void => stop.abort();
    signal?.addEventListener('abort', onAbort, { once: true });
    const cancel = this.clock.after(deadlineMs, () => stop.abort());
    try {
      return await run(stop.signal);
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
    return dial<T>(await this.docker(), { path: `${path}?`, options: query, abortSignal });
  }

  /** A GET whose answer is a stream; aborting ends it. */
  async stream(path: string, query: object, abortSignal: AbortSignal): Promise<Readable> {
    return dial<Readable>(await this.docker(), {
      path: `${path}?`,
      options: query,
      abortSignal,
      isStream: true,
    });
  }

  /** Closes idle connections, so that the process can end. */
  close(): void {
    this.#agent.destroy();
  }
}

function dial<T>(
  docker: Docker,
  options: { path: string; options?: object; abortSignal: AbortSignal; isStream?: true },
): Promise<T> {
  const request = { method: 'GET', statusCodes: { 200: true }, ...options };
  return new Promise((resolve, reject) => {
    docker.modem.dial(request, (error: unknown, answer: unknown) =>
      error ? reject(error) : resolve(answer as T),
    );
  });
}
