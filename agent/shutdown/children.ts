/**
 * Programs that run beside the agent and talk line by line: systemd's own, which speak D-Bus. Called by `logind.ts`;
 * tests hand in their own `Open`.
 */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

export interface Child {
  /** Written to its stdin. */
  write(text: string): void;
  /** Resolves when it has exited, with what it said on stderr; rejects when it could not be started. */
  readonly exited: Promise<string>;
  /** Closes its stdin, which is what ends `cat`. */
  close(): void;
  kill(): void;
}

export type Open = (file: string, args: readonly string[], onLine: (line: string) => void) => Child;

const maxErrorLength = 1000;

export const openChild: Open = (file, args, onLine) => {
  const child = spawn(file, [...args], { stdio: ['pipe', 'pipe', 'pipe'] });
  let errors = '';
  createInterface({ input: child.stdout }).on('line', onLine);
  child.stderr.on('data', (chunk: Buffer) => {
    errors = (errors + chunk.toString()).slice(-maxErrorLength);
  });
  const exited = new Promise<string>((resolve, reject) => {
    child.once('error', reject);
    child.stdin.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') reject(error);
    });
    child.once('close', () => resolve(errors.trim()));
  });
  // Whoever asks gets the error; nobody may ask.
  exited.catch(() => undefined);
  return {
    write: (text) => void child.stdin.write(text),
    exited,
    close: () => void child.stdin.end(),
    kill: () => void child.kill('SIGKILL'),
  };
};
