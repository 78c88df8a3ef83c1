/**
 * 8. The connection to a CRI runtime: gRPC over its socket, loaded when first needed, with a deadline on every call. Used
 * by all of cri/.
 *
 * Errors of `call` are `RuntimeError`s. A stream has no deadline; it ends with its signal, or throws what the runtime
 * says. The channel finds a runtime that was restarted by itself, at most two seconds after it is back.
 */
import type { Client, ClientDuplexStream, ClientReadableStream, Metadata } from '@grpc/grpc-js';
import { toRuntimeError } from './errors.js';
import type { Calls } from './generated/protocol.js';
import type { Draft, Protocol } from './protocol.js';

/** What a call may take, milliseconds; a runtime that hangs is noticed after this. */
export const deadlines = {
  /** Reads. */
  quick: 10_000,
  /** Create, start, remove: disk, runc, CNI. */
  slow: 60_000,
};

/** Largest answer taken: lists of a node with very many containers, verbose. */
const maxAnswerBytes = 64 * 1024 * 1024;

interface Loaded {
  client: Client;
  protocol: Protocol;
  metadata: Metadata;
}

export class CriClient {
  readonly #socketPath: string;
  #loaded: Promise<Loaded> | undefined;

  constructor(socketPath: string) {
    this.#socketPath = socketPath;
  }

  /** Rejects with `RuntimeError`, or with the signal's reason. */
  async call<C extends keyof Calls>(
    name: C,
    request: Draft<Calls[C][0]>,
    deadlineMs: number,
    signal?: AbortSignal,
  ): Promise<Calls[C][1]> {
    const { client, protocol, metadata } = await this.#load();
    signal?.throwIfAborted();
    const { path, encode, decode } = protocol.codec(name);
    const deadline = Date.now() + deadlineMs;
    let cancel = (): void => undefined;
    try {
      return await new Promise((resolve, reject) => {
        const call = client.makeUnaryRequest(
          path,
          encode,
          decode,
          request,
          metadata,
          { deadline },
          (error, answer) =>
            error || answer === undefined
              ? reject(error ?? new Error('an answer without a message'))
              : resolve(answer),
        );
        cancel = () => call.cancel();
        signal?.addEventListener('abort', cancel, { once: true });
      });
    } catch (error) {
      signal?.throwIfAborted();
      throw toRuntimeError(error);
    } finally {
      signal?.removeEventListener('abort', cancel);
    }
  }

  /** Messages as the runtime sends them. */
  async *stream<C extends keyof Calls>(
    name: C,
    request: Draft<Calls[C][0]>,
    signal: AbortSignal,
  ): AsyncGenerator<Calls[C][1], void, undefined> {
    const { client, protocol, metadata } = await this.#load();
    if (signal.aborted) return;
    const { path, encode, decode } = protocol.codec(name);
    const call: ClientReadableStream<Calls[C][1]> = client.makeServerStreamRequest(
      path,
      encode,
      decode,
      request,
      metadata,
    );
    const cancel = (): void => call.cancel();
    signal.addEventListener('abort', cancel, { once: true });
    try {
      for await (const message of call) yield message as Calls[C][1];
    } catch (error) {
      if (!signal.aborted) throw toRuntimeError(error);
    } finally {
      signal.removeEventListener('abort', cancel);
      call.cancel();
    }
  }

  /** Sends one message on a stream of both directions and resolves with the first answer. */
  async exchange<C extends keyof Calls>(
    name: C,
    request: Draft<Calls[C][0]>,
    deadlineMs: number,
  ): Promise<Calls[C][1]> {
    const { client, protocol, metadata } = await this.#load();
    const { path, encode, decode } = protocol.codec(name);
    const deadline = Date.now() + deadlineMs;
    const call: ClientDuplexStream<Draft<Calls[C][0]>, Calls[C][1]> = client.makeBidiStreamRequest(
      path,
      encode,
      decode,
      metadata,
      {
        deadline,
      },
    );
    try {
      return await new Promise<Calls[C][1]>((resolve, reject) => {
        call.once('data', resolve);
        call.once('error', reject);
        call.once('end', () => reject(new Error(`${name} ended without an answer`)));
        call.write(request);
      });
    } catch (error) {
      throw toRuntimeError(error);
    } finally {
      call.on('error', () => undefined);
      call.end();
    }
  }

  /** Ends what is under way and closes the connection. */
  async close(): Promise<void> {
    if (this.#loaded) (await this.#loaded).client.close();
  }

  #load(): Promise<Loaded> {
    this.#loaded ??= load(this.#socketPath);
    return this.#loaded;
  }
}

async function load(socketPath: string): Promise<Loaded> {
  const [grpc, { createProtocol }] = await Promise.all([import('@grpc/grpc-js'), import('./protocol.js')]);
  const metadata = new grpc.Metadata();
  // For the services that are containerd's own; those of CRI take no notice.
  metadata.set('containerd-namespace', 'k8s.io');
  const client = new grpc.Client(`unix://${socketPath}`, grpc.credentials.createInsecure(), {
    'grpc.max_receive_message_length': maxAnswerBytes,
    'grpc.initial_reconnect_backoff_ms': 100,
    'grpc.max_reconnect_backoff_ms': 2000,
    'grpc.enable_retries': 0,
  });
  return { client, protocol: createProtocol(), metadata };
}
