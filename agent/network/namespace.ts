/**
 * Looks into a network namespace without starting a process, where its path is `/proc/<pid>/ns/net`: the kernel
 * shows the local addresses of a process' namespace in `/proc/<pid>/net/fib_trie`. Called by `pods.ts`.
 */
import { stat } from 'node:fs/promises';
import { hasCode, readIfExists } from '../../src/host/files.js';

/**
 * Identity of the namespace behind a path, '' when there is none. A process id in the path may have been taken over
 * by a process of the host: who acts on the path compares this first.
 */
export async function namespaceId(networkNamespace: string): Promise<string> {
  if (networkNamespace === '') return '';
  try {
    const { dev, ino } = await stat(networkNamespace);
    return `${dev}:${ino}`;
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ESRCH')) return '';
    throw error;
  }
}

/** IPv4 addresses that the namespace has; `undefined` when its path does not tell (or it is gone). */
export async function localAddresses(networkNamespace: string): Promise<Set<string> | undefined> {
  const pid = /^\/proc\/(\d+)\/ns\/net$/.exec(networkNamespace)?.[1];
  if (pid === undefined) return undefined;
  const trie = await readIfExists(`/proc/${pid}/net/fib_trie`);
  return trie && parseLocalAddresses(trie.toString());
}

/** An address line (`|-- 10.244.0.5`) followed by `/32 host LOCAL` is an address of the namespace's own. */
export function parseLocalAddresses(trie: string): Set<string> {
  const addresses = new Set<string>();
  let last = '';
  for (const line of trie.split('\n')) {
    const leaf = /\|-- (\S+)/.exec(line)?.[1];
    if (leaf !== undefined) last = leaf;
    else if (/\/32 host LOCAL/.test(line)) addresses.add(last);
  }
  return addresses;
}
