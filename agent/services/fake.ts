/**
 * A `Firewall` in memory for tests: keeps chains and rules, refuses what the kernel refuses (rules or jumps to a chain
 * that does not exist, deleting a chain that is in use or not empty), and leaves everything as it was when it refuses.
 */
import type { Firewall, Jump, Table } from './firewall.js';
import { planJump, planRemoval } from './jumps.js';

export interface FakeFirewall extends Firewall {
  /** Texts given to `restore`, in order. */
  readonly restored: readonly string[];
  /** The next `restore` rejects with this. */
  failNext(message: string): void;
  /** What `iptables -F; iptables -X` by somebody else does; calls back as the real one does in time. */
  flush(table: Table): void;
}

type Chains = Map<string, string[]>;

const builtins: Record<Table, readonly string[]> = {
  filter: ['INPUT', 'FORWARD', 'OUTPUT'],
  nat: ['PREROUTING', 'INPUT', 'OUTPUT', 'POSTROUTING'],
  mangle: ['PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING'],
};
const tableNames = Object.keys(builtins) as Table[];
const targets = new Set(['ACCEPT', 'DROP', 'RETURN', 'REJECT', 'DNAT', 'SNAT', 'MASQUERADE', 'MARK']);

const emptyTable = (table: Table): Chains => new Map(builtins[table].map((chain) => [chain, []]));

export function createFakeFirewall(): FakeFirewall {
  const tables = new Map<Table, Chains>(tableNames.map((table) => [table, emptyTable(table)]));
  const callbacks = new Set<() => void>();
  const restored: string[] = [];
  let failure = '';

  const chainsOf = (table: Table): Chains => tables.get(table) ?? emptyTable(table);

  async function restore(text: string): Promise<void> {
    if (failure !== '') {
      const message = failure;
      failure = '';
      throw new Error(message);
    }
    const next = new Map([...tables].map(([table, chains]) => [table, copyOf(chains)]));
    applyText(text, next);
    for (const [table, chains] of next) tables.set(table, chains);
    restored.push(text);
  }

  async function applyLines(table: Table, lines: readonly string[]): Promise<void> {
    const next = copyOf(chainsOf(table));
    for (const line of lines) applyLine(next, line, table);
    tables.set(table, next);
  }

  const rulesOf = (jump: Jump): string[] => chainsOf(jump.table).get(jump.from) ?? [];

  return {
    restored,
    failNext(message) {
      failure = message;
    },
    flush(table) {
      tables.set(table, emptyTable(table));
      for (const callback of callbacks) callback();
    },
    async save(table) {
      const chains = [...chainsOf(table)];
      const heads = chains.map(
        ([name]) => `:${name} ${builtins[table].includes(name) ? 'ACCEPT' : '-'} [0:0]`,
      );
      return [`*${table}`, ...heads, ...chains.flatMap(([, rules]) => rules), 'COMMIT', ''].join('\n');
    },
    restore,
    async ensureJump(jump) {
      const lines = planJump(rulesOf(jump), jump);
      if (lines.length === 0) return;
      if (!chainsOf(jump.table).has(jump.to)) lines.unshift(`:${jump.to} - [0:0]`);
      await applyLines(jump.table, lines);
    },
    async removeJump(jump) {
      await applyLines(jump.table, planRemoval(rulesOf(jump), jump));
    },
    onFlushed(callback) {
      callbacks.add(callback);
      return () => callbacks.delete(callback);
    },
  };
}

const copyOf = (chains: Chains): Chains => new Map([...chains].map(([name, rules]) => [name, [...rules]]));

function applyText(text: string, tables: Map<Table, Chains>): void {
  let current: { table: Table; chains: Chains } | undefined;
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('#')) continue;
    if (line.startsWith('*')) {
      const table = tableNames.find((name) => name === line.slice(1));
      const chains = table && tables.get(table);
      if (!chains) throw new Error(`no such table: ${line}`);
      current = { table, chains };
    } else if (line === 'COMMIT') current = undefined;
    else if (!current) throw new Error(`line outside of a table: ${line}`);
    else applyLine(current.chains, line, current.table);
  }
  if (current) throw new Error('COMMIT is missing');
}

function applyLine(chains: Chains, line: string, table: Table): void {
  const fail = (why: string): never => {
    throw new Error(`${why}: ${line}`);
  };
  const declared = /^:(\S+) (\S+) \[\d+:\d+\]$/.exec(line)?.[1];
  if (declared !== undefined) {
    if (!builtins[table].includes(declared)) chains.set(declared, []);
    return;
  }
  const [, action = '', name = '', rest = ''] = /^-([AIDX]) (\S+) ?(.*)$/.exec(line) ?? fail('cannot read');
  const rules = chains.get(name) ?? fail(`no chain ${name}`);
  if (action === 'X') {
    if (builtins[table].includes(name)) fail('a built-in chain');
    if (rules.length > 0) fail('chain is not empty');
    const isUsed = [...chains.values()].flat().some((rule) => targetOf(rule) === name);
    if (isUsed) fail('chain is in use');
    chains.delete(name);
    return;
  }
  if (action === 'D') {
    const index = /^\d+$/.test(rest) ? Number(rest) - 1 : rules.indexOf(`-A ${name} ${rest}`);
    if (index < 0 || index >= rules.length) fail('no such rule');
    rules.splice(index, 1);
    return;
  }
  const [, number = '', spec = ''] = action === 'I' ? (/^(\d*) ?(.*)$/.exec(rest) ?? []) : ['', '', rest];
  const target = targetOf(` ${spec}`);
  if (!targets.has(target) && !chains.has(target)) fail(`no chain or target ${target}`);
  const at = action === 'A' ? rules.length : number === '' ? 0 : Number(number) - 1;
  if (at > rules.length) fail('index too big');
  rules.splice(at, 0, `-A ${name} ${spec}`);
}

const targetOf = (rule: string): string => / -[jg] (\S+)/.exec(rule)?.[1] ?? '';
