/**
 * Does one check: HTTP GET, TCP connect, gRPC health, or a command in the container. Shared by probes and lifecycle hooks.
 *
 * A check never rejects for what the target does: a refused connection, a bad answer, a command that fails or takes
 * too long are failures with Kubernetes' wording. It rejects only when `signal` aborts. What could not be asked (the
 * runtime does not answer, there is no such port) is `isUnknown`: it says nothing about the container.
 */
import { connect } from 'node:net';
import { Writable } from 'node:stream';
import type { LifecycleHandler, ProbeHandler } from '../../src/api/types.js';
import { createStop, orAborted } from '../../src/client/wait.js';
import type { Clock } from '../../src/host/clock.js';
import type { Runtime } from '../runtime/runtime.js';
import { RuntimeError } from '../runtime/runtime.js';
import { grpcCheck } from './grpc.js';
import { httpGet } from './http.js';

export interface CheckTarget {
  containerId: string;
  podIp: string;
  /** The port, names resolved; undefined when there is none of that name. */
  port: number | undefined;
}

export interface CheckResult {
  success: boolean;
  /** What went wrong, for the event; what came back, when nothing did. */
  output: string;
  /** A success that somebody should look at. */
  isWarning?: true;
  /** No success, and no failure of the container either. */
  isUnknown?: true;
}

export type ProbeRunner = (
  handler: ProbeHandler | LifecycleHandler,
  target: CheckTarget,
  timeoutMs: number,
  signal: AbortSignal,
) => Promise<CheckResult>;

/** Kubernetes keeps this much of a command's output. */
const maxOutputBytes = 10 * 1024;

export interface ProbeRunnerOptions {
  runtime: Pick<Runtime, 'exec' | 'version'>;
  clock: Clock;
}

export function createProbeRunner({ runtime, clock }: ProbeRunnerOptions): ProbeRunner {
  return async (handler, target, timeoutMs, signal) => {
    const timeout = createStop();
    const release = timeout.follow(signal);
    const cancel = clock.after(timeoutMs, () => timeout.abort(new Error('timeout')));
    try {
      return await check(runtime, handler, { ...target, timeoutMs }, timeout.signal);
    } catch (error) {
      signal.throwIfAborted();
      if (!timeout.signal.aborted) {
        const output = error instanceof Error ? error.message : String(error);
        return { success: false, output, ...(error instanceof RuntimeError && { isUnknown: true }) };
      }
      const seconds = timeoutMs / 1000;
      if (!handler.exec) return { success: false, output: timedOut(handler, target) };
      const command = (handler.exec.command ?? []).join(' ');
      const output = `command timed out: "${command}" timed out after ${seconds}s`;
      return { success: false, output, ...((await isAway(runtime)) && { isUnknown: true }) };
    } finally {
      cancel();
      release();
    }
  };
}

async function check(
  runtime: Pick<Runtime, 'exec'>,
  handler: ProbeHandler | LifecycleHandler,
  target: CheckTarget & { timeoutMs: number },
  signal: AbortSignal,
): Promise<CheckResult> {
  const { podIp, port, timeoutMs } = target;
  if (handler.exec) return runExec(runtime, handler.exec.command ?? [], target.containerId, signal);
  if (port === undefined) return { success: false, isUnknown: true, output: 'invalid port number or name' };
  if (handler.httpGet) return httpGet(handler.httpGet, podIp, port, signal);
  if (handler.tcpSocket) return tcp(handler.tcpSocket.host || podIp, port, signal);
  if ('grpc' in handler && handler.grpc) return grpcCheck(handler.grpc, { podIp, port, timeoutMs }, signal);
  return { success: false, isUnknown: true, output: 'missing probe handler' };
}

/** A command that timed out in a runtime that hangs says nothing about the container. */
async function isAway(runtime: Pick<Runtime, 'version'>): Promise<boolean> {
  try {
    await runtime.version();
    return false;
  } catch (error) {
    if (error instanceof RuntimeError) return true;
    throw error;
  }
}

function timedOut(handler: ProbeHandler, { podIp, port }: CheckTarget): string {
  if (handler.tcpSocket) return `dial tcp ${handler.tcpSocket.host || podIp}:${port}: i/o timeout`;
  const { scheme = 'HTTP', host, path = '/' } = handler.httpGet ?? {};
  const url = `${scheme.toLowerCase()}://${host || podIp}:${port}${path}`;
  return `Get "${url}": context deadline exceeded (Client.Timeout exceeded while awaiting headers)`;
}

async function runExec(
  runtime: Pick<Runtime, 'exec'>,
  command: readonly string[],
  containerId: string,
  signal: AbortSignal,
): Promise<CheckResult> {
  const chunks: Buffer[] = [];
  let size = 0;
  const output = new Writable({
    write(chunk: Buffer, _encoding, done) {
      if (size < maxOutputBytes) chunks.push(chunk.subarray(0, maxOutputBytes - size));
      size += chunk.length;
      done();
    },
  });
  const code = await orAborted(
    runtime.exec(containerId, { command, tty: false, stdout: output, stderr: output }, signal),
    signal,
  );
  const text = Buffer.concat(chunks).toString();
  return { success: code === 0, output: code === 0 ? text : text || `command exited with ${code}` };
}

function tcp(host: string, port: number, signal: AbortSignal): Promise<CheckResult> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port });
    const onAbort = (): void => {
      socket.destroy();
      reject(signal.reason);
    };
    const finish = (result: CheckResult): void => {
      signal.removeEventListener('abort', onAbort);
      socket.destroy();
      resolve(result);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    socket.once('connect', () => finish({ success: true, output: '' }));
    socket.once('error', (error: NodeJS.ErrnoException) => {
      const why = error.code === 'ECONNREFUSED' ? 'connect: connection refused' : error.message;
      finish({ success: false, output: `dial tcp ${host}:${port}: ${why}` });
    });
  });
}
