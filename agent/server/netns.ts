/**
 * TCP connections inside another network namespace, so that port-forward reaches what listens on a pod's loopback only.
 * Called by poddial.ts.
 *
 * Node cannot change namespaces, so a helper process does it, one per namespace, and passes each connected socket back:
 * no byte goes through it. It starts with the first connection, ends when it was idle for `idleMs`, and cannot outlive
 * the agent.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { connect, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import type { Clock } from '../../src/host/clock.js';

export interface DialRequest {
  id: number;
  host: string;
  port: number;
}

export interface DialAnswer {
  id: number;
  error?: { code: string; message: string };
}

/** Opens a TCP connection; rejects with the system's error (`code`). */
export type Dial = (host: string, port: number) => Promise<Socket>;

const idleMs = 15_000;
const dialTimeoutMs = 10_000;

/** In the agent's own namespace. */
export const dialHere: Dial = (host, port) =>
  new Promise((resolve, reject) => {
    const socket = connect({ host, port, allowHalfOpen: true, timeout: dialTimeoutMs });
    socket.once('error', reject);
    socket.once('timeout', () => socket.destroy(new Error(`no answer within ${dialTimeoutMs / 1000} s`)));
    socket.once('connect', () => {
      socket.setTimeout(0);
      socket.off('error', reject);
      resolve(socket);
    });
  });

/** Tests run the sources themselves, through a loader that the helper then needs too. */
const isSource = import.meta.url.endsWith('.ts');
const built = fileURLToPath(new URL('./netns-helper.js', import.meta.url));
const helper = isSource ? built.replace(/\.js$/, '.ts') : built;
/** It does next to nothing and should weigh as little. */
const helperFlags = ['--max-semi-space-size=1', '--max-old-space-size=32', '--single-threaded'];

type Waiting = { resolve(socket: Socket): void; reject(error: Error): void };

/** Connections in the namespace behind a path such as `/proc/<pid>/ns/net`. */
export class NamespaceDialer {
  readonly #path: string;
  readonly #clock: Clock;
  readonly #waiting = new Map<number, Waiting>();
  #child: ChildProcess | undefined;
  #cancelIdle = (): void => undefined;
  #lastId = 0;

  readonly #onEnd: () => void;

  /** `onEnd` is called when the helper has ended; the next connection would start another. */
  constructor(path: string, clock: Clock, onEnd: () => void) {
    this.#path = path;
    this.#clock = clock;
    this.#onEnd = onEnd;
  }

  readonly dial: Dial = (host, port) =>
    new Promise((resolve, reject) => {
      this.#cancelIdle();
      const child = this.#child ?? this.#start();
      const id = ++this.#lastId;
      const cancelTimeout = this.#clock.after(dialTimeoutMs, () =>
        this.#settle(id)?.reject(new Error(`no answer within ${dialTimeoutMs / 1000} s`)),
      );
      this.#waiting.set(id, {
        resolve: (socket) => {
          cancelTimeout();
          resolve(socket);
        },
        reject: (error) => {
          cancelTimeout();
          reject(error);
        },
      });
      const request: DialRequest = { id, host, port };
      // A helper that cannot be told any more has ended, and `exit` says why.
      child.send(request, () => undefined);
    });

  close(): void {
    this.#cancelIdle();
    this.#child?.kill('SIGKILL');
  }

  #start(): ChildProcess {
    const loader = isSource ? process.execArgv : [];
    const args = [`--net=${this.#path}`, '--', process.execPath, ...helperFlags, ...loader, helper];
    const child = spawn('nsenter', args, { stdio: ['ignore', 'ignore', 'ignore', 'ipc'] });
    this.#child = child;
    child.on('message', (message, handle) =>
      this.#onAnswer(message as DialAnswer, handle as Socket | undefined),
    );
    const over = (why: string): void => {
      if (this.#child === child) this.#child = undefined;
      this.#onEnd();
      for (const id of [...this.#waiting.keys()]) this.#settle(id)?.reject(new Error(why));
    };
    child.once('error', (error) => over(`cannot enter the network namespace: ${error.message}`));
    child.once('exit', (code) => over(`cannot enter the network namespace: exit code ${code}`));
    return child;
  }

  #onAnswer({ id, error }: DialAnswer, socket: Socket | undefined): void {
    const waiting = this.#settle(id);
    if (!waiting) socket?.destroy();
    else if (error) waiting.reject(Object.assign(new Error(error.message), { code: error.code }));
    else if (socket) {
      socket.allowHalfOpen = true;
      waiting.resolve(socket);
    } else waiting.reject(new Error('the connection was lost'));
  }

  #settle(id: number): Waiting | undefined {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (this.#waiting.size === 0) this.#cancelIdle = this.#clock.after(idleMs, () => this.close());
    return waiting;
  }
}
