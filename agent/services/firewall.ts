/**
 * Contract: the packet filter of one network namespace, cut down to what we use of it.
 *
 * Whole batches only: `restore` applies all of its text or nothing. Implementations: `iptables` and a fake that keeps
 * chains and refuses what the kernel refuses (a jump to a chain that does not exist).
 */
export type Table = 'filter' | 'nat' | 'mangle';

export interface Firewall {
  /** The text of `iptables-save -t <table>`, without counters. */
  save(table: Table): Promise<string>;
  /** `iptables-restore --noflush` of rules for one or more tables; rejects with the offending line. */
  restore(text: string): Promise<void>;
  /** Makes `rule` the first (or last) of a built-in chain, once; creates `to` when it is missing. */
  ensureJump(jump: Jump): Promise<void>;
  removeJump(jump: Jump): Promise<void>;
  /** Calls back when somebody else flushed our chains. Returns unsubscribe. */
  onFlushed(callback: () => void): () => void;
}

export interface Jump {
  table: Table;
  from: string;
  to: string;
  position: 'first' | 'last';
  /** Conditions in front of `-j`, as arguments. */
  match: readonly string[];
  comment: string;
}
