/**
 * Contract: the only way to run another program. Never a shell: a file and its arguments.
 *
 * A program that runs longer than `timeoutMs` or whose signal aborts is killed. Exit codes are an outcome for the
 * caller to judge (`run`), or an error that carries stderr (`runChecked`).
 */
import { execFile } from 'node:child_process';

export interface ExecOptions {
  /** Written to the program's stdin, which is then closed. */
  input?: string;
  /** Added to this process' environment. */
  env?: Record<string, string>;
  signal?: AbortSignal;
  /** Milliseconds until SIGKILL; 30 s by default. */
  timeoutMs?: number;
}

export interface ExecResult {
  /** Exit code; 128 + n after signal n is not translated: a killed program rejects instead. */
  code: number;
  stdout: string;
  stderr: string;
}

/** How callers receive it, so that tests can hand in their own. */
export type Exec = (file: string, args: readonly string[], options?: ExecOptions) => Promise<ExecResult>;

export class ExecError extends Error {
  override readonly name = 'ExecError';
  readonly code: number;
  readonly stderr: string;

  constructor(file: string, args: readonly string[], result: ExecResult) {
    super(
      `${[file, ...args].join(' ')}: exit ${result.code}: ${result.stderr.trim() || result.stdout.trim()}`,
    );
    this.code = result.code;
    this.stderr = result.stderr;
  }
}

const maxOutputBytes = 256 * 1024 * 1024;

/** Runs a program to its end. Rejects when it cannot be started, was killed or timed out. */
export const run: Exec = (file, args, options = {}) =>
  new Promise((resolve, reject) => {
    const child = execFile(
      file,
      [...args],
      {
        encoding: 'utf8',
        maxBuffer: maxOutputBytes,
        timeout: options.timeoutMs ?? 30_000,
        killSignal: 'SIGKILL',
        ...(options.env && { env: { ...process.env, ...options.env } }),
        ...(options.signal && { signal: options.signal }),
      },
      (error, stdout, stderr) => {
        const code = error === null ? 0 : error.code;
        if (typeof code === 'number') resolve({ code, stdout, stderr });
        else reject(error);
      },
    );
    child.stdin?.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') reject(error);
    });
    child.stdin?.end(options.input ?? '');
  });

/** As `run`, but a non-zero exit is an `ExecError` that carries stderr. */
export const runChecked: Exec = async (file, args, options) => {
  const result = await run(file, args, options);
  if (result.code !== 0) throw new ExecError(file, args, result);
  return result;
};
