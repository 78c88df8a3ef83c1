/**
 * Takes chains off the packet filter: their jumps, their rules, the chains. Called by the clean-ups of `agent/network`
 * and `agent/services`. It works from what is there, not from what should be, and leaves other rules untouched.
 */
import { hasCode } from '../../src/host/files.js';
import type { Firewall, Table } from './firewall.js';
import { chainPrefix, netChainPrefix } from './jumps.js';

/** Lines for one restore of the saved table; none when it has no such chain. Pure. */
export function planChainRemoval(saved: string, isOurs: (chain: string) => boolean): string[] {
  const lines = saved.split('\n');
  const chains = lines.flatMap((line) => /^:(\S+) -/.exec(line)?.[1] ?? []).filter(isOurs);
  const jumps = lines.filter((line) => {
    const [, from = '', to = ''] = /^-A (\S+) .*-[jg] (\S+)/.exec(line) ?? [];
    return isOurs(to) && !isOurs(from);
  });
  return [
    // A chain line empties the chain, so that those after it may be deleted in any order.
    ...chains.map((chain) => `:${chain} - [0:0]`),
    ...jumps.map((jump) => jump.replace(/^-A/, '-D')),
    ...chains.map((chain) => `-X ${chain}`),
  ];
}

export async function removeChains(
  firewall: Firewall,
  tables: readonly Table[],
  isOurs: (chain: string) => boolean,
): Promise<void> {
  for (const table of tables) {
    const saved = await firewall.save(table).catch((error: unknown) => {
      // Where no iptables is installed nobody has written rules.
      if (hasCode(error, 'ENOENT')) return '';
      throw error;
    });
    const lines = planChainRemoval(saved, isOurs);
    if (lines.length > 0) await firewall.restore(`*${table}\n${lines.join('\n')}\nCOMMIT\n`);
  }
}

/** Chains of the service proxy: ours, but for those of the pod network. */
export const isServiceChain = (chain: string): boolean =>
  chain.startsWith(chainPrefix) && !chain.startsWith(netChainPrefix);

/** Removes every rule, jump and chain of the service proxy. Idempotent. */
export const cleanUpServices = (firewall: Firewall): Promise<void> =>
  removeChains(firewall, ['nat', 'filter'], isServiceChain);
