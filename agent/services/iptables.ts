/**
 * The real `Firewall`: `iptables-save`, `iptables-restore` and `iptables` of the host, legacy or nf_tables alike.
 *
 * `restore` is atomic per table (that is what the kernel offers). A flush by somebody else takes our jumps away, so
 * the jumps themselves are the canary: one `iptables -S` per table every few seconds, as neither variant of iptables
 * has an event that is cheaper than that.
 */
import type { Clock } from '../../src/host/clock.js';
import { type Exec, ExecError, run } from '../../src/host/exec.js';
import type { Firewall, Jump, Table } from './firewall.js';
import { hasJump, planJump, planRemoval } from './jumps.js';

export interface IptablesOptions {
  clock: Clock;
  exec?: Exec;
  /** Between two looks for a flush. */
  checkEveryMs?: number;
}

/** Seconds to wait for the lock that legacy iptables takes. */
const lockArgs = ['-w', '20'];

export function createIptables({ clock, exec = run, checkEveryMs = 30_000 }: IptablesOptions): Firewall {
  const callbacks = new Set<() => void>();
  /** What was written, one canary per table. */
  const jumps = new Map<string, Jump>();
  let cancelCheck = (): void => undefined;

  async function rulesOf(table: Table, chain: string): Promise<string[]> {
    const args = [...lockArgs, '-t', table, '-S', chain];
    const result = await exec('iptables', args);
    if (result.code !== 0) throw new ExecError('iptables', args, result);
    return result.stdout.split('\n').filter((line) => line.startsWith('-A '));
  }

  async function restore(text: string): Promise<void> {
    const result = await exec('iptables-restore', ['--noflush', ...lockArgs], { input: text });
    if (result.code === 0) return;
    throw new Error(restoreError(text, result.stderr));
  }

  const apply = (table: Table, lines: readonly string[]): Promise<void> =>
    restore(`*${table}\n${lines.join('\n')}\nCOMMIT\n`);

  async function createChain(table: Table, chain: string): Promise<void> {
    const args = [...lockArgs, '-t', table, '-N', chain];
    const result = await exec('iptables', args);
    if (result.code !== 0 && !/already exists/.test(result.stderr))
      throw new ExecError('iptables', args, result);
  }

  async function isFlushed(): Promise<boolean> {
    const canaries = new Map([...jumps.values()].map((jump) => [jump.table, jump]));
    for (const jump of canaries.values()) {
      if (!hasJump(await rulesOf(jump.table, jump.from), jump)) return true;
    }
    return false;
  }

  function scheduleCheck(): void {
    cancelCheck = clock.after(checkEveryMs, () => {
      void isFlushed()
        // A program that cannot run now says nothing about the rules; the next look tells.
        .catch(() => false)
        .then((flushed) => {
          if (flushed) for (const callback of callbacks) callback();
          if (callbacks.size > 0) scheduleCheck();
        });
    });
  }

  return {
    async save(table) {
      const args = ['-t', table];
      const result = await exec('iptables-save', args);
      if (result.code !== 0) throw new ExecError('iptables-save', args, result);
      return withoutCounters(result.stdout);
    },
    restore,
    async ensureJump(jump) {
      const lines = planJump(await rulesOf(jump.table, jump.from), jump);
      if (lines.length > 0) {
        await createChain(jump.table, jump.to);
        await apply(jump.table, lines);
      }
      // Not before: a look that falls in between would take what is not written yet for flushed.
      jumps.set(keyOf(jump), jump);
    },
    async removeJump(jump) {
      jumps.delete(keyOf(jump));
      const lines = planRemoval(await rulesOf(jump.table, jump.from), jump);
      if (lines.length > 0) await apply(jump.table, lines);
    },
    onFlushed(callback) {
      callbacks.add(callback);
      if (callbacks.size === 1) scheduleCheck();
      return () => {
        callbacks.delete(callback);
        if (callbacks.size === 0) cancelCheck();
      };
    },
  };
}

const keyOf = (jump: Jump): string => [jump.table, jump.from, jump.to, jump.comment].join(' ');

/** Drops the comment lines, which carry the time, and zeroes counters: equal rules give equal text. */
export const withoutCounters = (text: string): string =>
  text
    .split('\n')
    .filter((line) => !line.startsWith('#'))
    .map((line) => (line.startsWith(':') ? line.replace(/\[\d+:\d+\]$/, '[0:0]') : line))
    .join('\n');

/** The tool's message with the line it complains about and its neighbours. */
function restoreError(text: string, stderr: string): string {
  const number = Number(/line:? (\d+)/.exec(stderr)?.[1] ?? 0);
  const lines = text.split('\n');
  const around = lines.slice(Math.max(number - 2, 0), number + 1).join(' | ');
  return `iptables-restore: ${stderr.trim()}${number > 0 ? ` [${around}]` : ''}`;
}
