/**
 * systemd's login manager, as far as a shutdown of the host goes: hears of it and delays it. Called by `shutdown.ts`.
 *
 * It is spoken to with `busctl` and `systemd-inhibit`, which every host with systemd has: the D-Bus libraries for Node
 * are no longer looked after, or large. The lock belongs to a child (`systemd-inhibit ... cat`) that lives by the pipe to
 * the agent: when the agent is killed, `cat` ends and the lock is gone, so that an agent never blocks a shutdown for
 * nothing.
 */
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Exec } from '../../src/host/exec.js';
import { writeAtomic } from '../../src/host/files.js';
import type { Child, Open } from './children.js';

export interface Lock {
  release(): void;
  /** Resolves when the lock is gone, whoever ended it. */
  readonly gone: Promise<unknown>;
}

export interface Watch {
  stop(): void;
  /** Resolves with the reason when nothing is heard any more. */
  readonly ended: Promise<string>;
}

/** What `shutdown.ts` needs; everything rejects where there is no login manager. */
export interface ShutdownSource {
  /** Sees to it that a shutdown can be delayed so long; resolves with how long it really can be. */
  allowDelay(ms: number): Promise<number>;
  /** Delays shutdowns from now on. */
  inhibit(): Promise<Lock>;
  /** Calls with true when a shutdown begins, with false when it was called off. */
  watch(onChange: (isBegun: boolean) => void): Watch;
  /** Whether one has begun already. */
  isBegun(): Promise<boolean>;
}

/** Makes delays longer than the five seconds that are the default; removed by `cleanUp`. */
export const delayFile = '/etc/systemd/logind.conf.d/99-wherry.conf';

const login = ['org.freedesktop.login1', '/org/freedesktop/login1', 'org.freedesktop.login1.Manager'];
const systemd = ['org.freedesktop.systemd1', '/org/freedesktop/systemd1', 'org.freedesktop.systemd1.Manager'];
const held = 'held';
const looks = 20;

export interface LogindOptions {
  exec: Exec;
  open: Open;
  /** Waits between two looks whether new settings are in force. */
  pause(): Promise<void>;
  /** For tests. */
  delayFile?: string;
}

export function createLogind(options: LogindOptions): ShutdownSource {
  const { exec, open, delayFile: file = delayFile } = options;

  async function busctl(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await exec('busctl', ['--system', ...args], { timeoutMs: 10_000 });
    if (code !== 0) throw new Error(`busctl ${args[0]}: ${stderr.trim()}`);
    return stdout.trim();
  }

  const maxDelayMs = async (): Promise<number> =>
    Number((await busctl('get-property', ...login, 'InhibitDelayMaxUSec')).split(' ')[1]) / 1000;

  return {
    async allowDelay(ms) {
      let current = await maxDelayMs();
      if (current >= ms) return ms;
      const text = `# Made by wherry agent: --shutdown-grace-period\n[Login]\nInhibitDelayMaxSec=${Math.ceil(ms / 1000)}\n`;
      await mkdir(dirname(file), { recursive: true });
      await writeAtomic(file, text, 0o644);
      // SIGHUP makes it read its settings again.
      await busctl('call', ...systemd, 'KillUnit', 'ssi', 'systemd-logind.service', 'main', '1');
      for (let look = 0; look < looks && current < ms; look += 1) {
        await options.pause();
        current = await maxDelayMs();
      }
      return Math.min(current, ms);
    },

    async inhibit() {
      let answered = (): void => undefined;
      const echo = new Promise<void>((resolve) => {
        answered = resolve;
      });
      const why = 'pods are ended in order before the host shuts down';
      const words = ['--what=shutdown', '--mode=delay', '--who=wherry-agent', `--why=${why}`, 'cat'];
      const child: Child = open('systemd-inhibit', words, (line) => {
        if (line === held) answered();
      });
      // `cat` runs only once the lock is there.
      child.write(`${held}\n`);
      const failed = child.exited.then((errors) => Promise.reject(new Error(`systemd-inhibit: ${errors}`)));
      await Promise.race([echo, failed]);
      const gone = failed.catch(() => undefined);
      return { release: () => child.close(), gone };
    },

    watch(onChange) {
      const match = `type='signal',interface='${login[2]}',member='PrepareForShutdown'`;
      // It would not notice that nobody listens any more: it dies with the agent (setpriv is part of util-linux).
      const program = ['--pdeathsig', 'KILL', 'busctl', '--system', 'monitor', '--json=short'];
      const child = open('setpriv', [...program, '--match', match], (line) => {
        const isBegun = shutdownSignal(line);
        if (isBegun !== undefined) onChange(isBegun);
      });
      const ended = child.exited.then(
        (errors) => errors,
        (error: unknown) => (error instanceof Error ? error.message : String(error)),
      );
      return { stop: () => child.kill(), ended };
    },

    isBegun: async () => (await busctl('get-property', ...login, 'PreparingForShutdown')) === 'b true',
  };
}

/** The argument of a PrepareForShutdown in a line of `busctl monitor --json=short`; undefined for anything else. */
export function shutdownSignal(line: string): boolean | undefined {
  if (!line.startsWith('{')) return undefined;
  const message: unknown = JSON.parse(line);
  if (typeof message !== 'object' || message === null) return undefined;
  const { member, payload } = message as { member?: unknown; payload?: { data?: unknown[] } };
  const [value] = payload?.data ?? [];
  return member === 'PrepareForShutdown' && typeof value === 'boolean' ? value : undefined;
}
