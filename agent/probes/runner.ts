/**
 * Does one check: HTTP GET, TCP connect, or a command in the container. Shared by probes and lifecycle hooks.
 *
 * A check never rejects for what the target does: a refused connection, a bad answer, a command that fails or takes
 * too long are failures with Kubernetes' wording. It rejects only when `signal` aborts.
 */
import { connect } from 'node:net';
import { PassThrough } from 'node:stream';
import type { LifecycleHandler, ProbeHandler } from '../../src/api/types.js';
import { orAborted } from '../../src/client/wait.js';
import type { Clock } from '../../src/host/clock.js';
import type { Runtime } from '../runtime/runtime.js';
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
}

export type ProbeRunner = (
  handler: ProbeHandler | LifecycleHandler,
  target: CheckTarget,
  timeoutMs: number,
  signal: AbortSignal,
) => Promise<CheckResult>;

/** Kubernetes keeps this much of a command's output. */
const maxOutputBytes = 10 * 1024;

export function createProbeRunner(options: { runtime: Pick<Runtime, 'exec'>; clock: Clock }): ProbeRunner {
  return async (handler, target, timeoutMs, signal) => {
    const timeout = new AbortController();
    const cancel = options.clock.after(timeoutMs, () => timeout.abort(new Error('timeout')));
    const either = AbortSignal.any([signal, timeout.signal]);
    try {
      if (handler.exec)
        return await runExec(options.runtime, handler.exec.command ?? [], target.containerId, either);
      if (target.port === undefined) return { success: false, output: "couldn't find port of that name" };
      if (handler.httpGet) return await httpGet(handler.httpGet, target.podIp, target.port, either);
      if (handler.tcpSocket) return await tcp(handler.tcpSocket.host || target.podIp, target.port, either);
      return { success: false, output: 'missing probe handler' };
    } catch (error) {
      signal.throwIfAborted();
      const what = handler.exec
        ? `command timed out: "${(handler.exec.command ?? []).join(' ')}" timed out after ${timeoutMs / 1000}s`
        : timedOut(handler, target);
      return {
        success: false,
        output: timeout.signal.aborted ? what : error instanceof Error ? error.message : String(error),
      };
    } finally {
      cancel();
    }
  };
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
  const output = new PassThrough();
  output.on('data', (chunk: Buffer) => {
    if (size < maxOutputBytes) chunks.push(chunk.subarray(0, maxOutputBytes - size));
    size += chunk.length;
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
