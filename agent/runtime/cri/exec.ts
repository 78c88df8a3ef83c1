/**
 * 8. Commands in containers and attaching to them. Used by cri.ts.
 *
 * CRI has no call to end a command and lets it run on when the connection breaks. So an abort asks containerd which
 * processes of the container were started by an exec, knows ours by its command line and the moment it began, and kills
 * it with all that descend from it. Where the runtime is not containerd, the command runs on.
 */
import { uptime } from 'node:os';
import type { Clock } from '../../../src/host/clock.js';
import { commandOf, killTree, startedAtSeconds } from '../processes.js';
import { type ExecSpec, RuntimeError } from '../runtime.js';
import { type CriClient, deadlines } from './client.js';
import { isKind } from './errors.js';
import { type RemoteStatus, runRemote, type Streams } from './remote.js';

/** As kernel and host round their times. */
const toleranceSeconds = 0.02;
/** A runtime that hangs does not hold up who has waited too long already. */
const killMs = 1000;

export class CriExec {
  readonly #client: CriClient;
  readonly #clock: Clock;

  constructor(client: CriClient, clock: Clock) {
    this.#client = client;
    this.#clock = clock;
  }

  async run(containerId: string, spec: ExecSpec, signal: AbortSignal): Promise<number> {
    const begunSeconds = uptime();
    const request = { containerId, cmd: [...spec.command], tty: spec.tty, ...wanted(spec) };
    const { url } = await this.#client.call('exec', request, deadlines.quick, signal);
    // The command is killed first: containerd 2 kills its first process when the connection breaks, and then nobody can
    // tell which others it had started.
    const cut = new AbortController();
    const end = (): void => {
      this.#kill(containerId, spec.command, begunSeconds).then(
        () => cut.abort(signal.reason),
        () => cut.abort(signal.reason),
      );
    };
    signal.addEventListener('abort', end, { once: true });
    if (signal.aborted) end();
    try {
      const status = await runRemote(url, spec, cut.signal);
      signal.throwIfAborted();
      const code = notRunnable(status);
      if (code === undefined) return exitCodeOf(status);
      // As a shell does: who looks at the output alone learns why.
      (spec.tty ? spec.stdout : (spec.stderr ?? spec.stdout))?.write(`${status.message}\n`);
      return code;
    } catch (error) {
      signal.throwIfAborted();
      throw error;
    } finally {
      signal.removeEventListener('abort', end);
    }
  }

  async attach(containerId: string, spec: Streams, signal: AbortSignal): Promise<void> {
    const request = { containerId, tty: spec.tty, ...wanted(spec) };
    const { url } = await this.#client.call('attach', request, deadlines.quick, signal);
    exitCodeOf(await runRemote(url, spec, signal));
  }

  async #kill(containerId: string, command: readonly string[], begunSeconds: number): Promise<void> {
    // A second look, because the process may only just be starting.
    for (let tries = 0; tries < 10; tries += 1) {
      const pids = await this.#execsOf(containerId);
      if (pids === undefined) return;
      for (const pid of pids) {
        const [argv, startedSeconds] = [await commandOf(pid), await startedAtSeconds(pid)];
        const isOurs = startedSeconds >= begunSeconds - toleranceSeconds && isSame(argv, command);
        if (isOurs) return killTree(pid);
      }
      await this.#clock.sleep(25, new AbortController().signal);
    }
  }

  /** Processes that an exec started; `undefined` when nobody can tell. */
  async #execsOf(containerId: string): Promise<number[] | undefined> {
    try {
      const { processes } = await this.#client.call('tasksListPids', { containerId }, killMs);
      // Details are there for those only: an Any around the id of the exec.
      return processes.filter(({ info }) => info !== null && info.value.length > 0).map(({ pid }) => pid);
    } catch (error) {
      if (isKind(error, 'unavailable')) throw error;
      return undefined;
    }
  }
}

const wanted = (spec: Streams) => ({ stdin: spec.stdin !== undefined, stdout: true, stderr: !spec.tty });

const isSame = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && a.every((part, at) => part === b[at]);

/** One that cannot be run ends with 127 or 126, as in a shell. */
function notRunnable({ status, message = '', reason }: RemoteStatus): number | undefined {
  if (status === 'Success' || reason === 'NonZeroExitCode') return undefined;
  if (/executable file not found|no such file or directory/.test(message)) return 127;
  return /permission denied|exec format error/.test(message) ? 126 : undefined;
}

/** Throws for what is not the end of a command. */
function exitCodeOf({ status, message = '', reason, details }: RemoteStatus): number {
  if (status === 'Success') return 0;
  const code = details?.causes?.find((cause) => cause.reason === 'ExitCode')?.message;
  if (reason === 'NonZeroExitCode' && code !== undefined) return Number(code);
  throw new RuntimeError('failed', message);
}
