/**
 * All our chains as they should be, and what has changed since they were last written. Pure data, no I/O.
 *
 * `sync.ts` puts the rules of services in, asks for the text of one restore, and says when it was written. The rules
 * of a service are only rendered again when it changed, and only chains whose text differs are written.
 */
import { chains, fixedRules, nodePortsRule, type ServiceRules } from './rules.js';

type OurTable = 'nat' | 'filter';

/**
 * Chains per COMMIT of a full write. `iptables-nft-restore` needs time in the square of their number, and each COMMIT
 * is a transaction; 1,000 is where 5,000 services load fastest (1 s instead of 7.5 s).
 */
const chainsPerCommit = 1_000;

/** With more lines to edit a shared chain is written as a whole; the kernel finds a line to delete by comparing. */
const maxEdits = 20;

export interface Ruleset {
  /** `undefined`: the service is gone. */
  setService(key: string, rules: ServiceRules | undefined): void;
  /** Text that brings what was written last up to date; '' when nothing changed. */
  renderChanges(): string;
  /** Text that writes everything and deletes our chains in `existing` that should not be. */
  renderAll(existing: { nat: readonly string[]; filter: readonly string[] }): string;
  /** What was rendered last is now in the kernel. */
  written(): void;
}

export function createRuleset(clusterCidr: string): Ruleset {
  const services = new Map<string, ServiceRules>();
  const tables: Record<OurTable, Map<string, string>> = { nat: new Map(), filter: new Map() };
  const changed: Record<OurTable, Set<string>> = { nat: new Set(), filter: new Set() };
  /** Texts of the shared chains as they were written last: they are long, and mostly one line of them changes. */
  const inKernel = new Map<string, string>();
  /** Chains made of the rules of all services that have to be put together anew. */
  const stale = new Set<'services' | 'nodePorts' | 'reject'>(['services', 'nodePorts', 'reject']);

  for (const table of ['nat', 'filter'] as const) {
    for (const [chain, rules] of Object.entries(fixedRules(clusterCidr)[table])) set(table, chain, rules);
  }

  function set(table: OurTable, chain: string, rules: readonly string[] | undefined): void {
    const text = rules?.map((rule) => `-A ${chain} ${rule}\n`).join('');
    if (tables[table].get(chain) === text) return;
    if (text === undefined) tables[table].delete(chain);
    else tables[table].set(chain, text);
    changed[table].add(chain);
  }

  function joinServices(): void {
    const all =
      stale.size > 0 ? [...services].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, rules]) => rules) : [];
    if (stale.has('services')) {
      set('nat', chains.services, [...all.flatMap((rules) => rules.services), nodePortsRule]);
    }
    if (stale.has('nodePorts'))
      set(
        'nat',
        chains.nodePorts,
        all.flatMap((rules) => rules.nodePorts),
      );
    if (stale.has('reject'))
      set(
        'filter',
        chains.reject,
        all.flatMap((rules) => rules.reject),
      );
    stale.clear();
  }

  return {
    setService(key, rules) {
      const old = services.get(key);
      for (const part of ['services', 'nodePorts', 'reject'] as const) {
        if ((old?.[part] ?? []).join('\n') !== (rules?.[part] ?? []).join('\n')) stale.add(part);
      }
      for (const chain of old?.own.keys() ?? []) if (!rules?.own.has(chain)) set('nat', chain, undefined);
      for (const [chain, lines] of rules?.own ?? []) set('nat', chain, lines);
      if (rules) services.set(key, rules);
      else services.delete(key);
    },
    renderChanges() {
      joinServices();
      // The filter first: a service that lost its last endpoint is refused before it is no longer translated.
      return (['filter', 'nat'] as const)
        .map((table) => section(table, [...changed[table]], tables[table], inKernel))
        .join('');
    },
    renderAll(existing) {
      joinServices();
      const own = [...tables.nat.keys()].filter((chain) => !isShared(chain));
      const shared = [...tables.nat.keys()].filter(isShared);
      const gone = (table: OurTable): string[] =>
        existing[table].filter((chain) => !tables[table].has(chain));
      return [
        section('filter', [...tables.filter.keys(), ...gone('filter')], tables.filter),
        ...portions(own).map((part) => section('nat', part, tables.nat)),
        section('nat', [...shared, ...gone('nat')], tables.nat),
      ].join('');
    },
    written() {
      changed.nat.clear();
      changed.filter.clear();
      for (const chain of sharedChains) {
        inKernel.set(chain, tables.nat.get(chain) ?? tables.filter.get(chain) ?? '');
      }
    },
  };
}

const sharedChains: ReadonlySet<string> = new Set(Object.values(chains));
const isShared = (chain: string): boolean => sharedChains.has(chain);

/**
 * One table's part of a restore. A chain without text is emptied and, after the rules that led to it, deleted. Chains
 * that are in `inKernel` are edited line by line where that is less.
 */
function section(
  table: OurTable,
  names: readonly string[],
  texts: ReadonlyMap<string, string>,
  inKernel: ReadonlyMap<string, string> = new Map(),
): string {
  if (names.length === 0) return '';
  const head: string[] = [];
  const rules: string[] = [];
  const deletions: string[] = [];
  for (const chain of names) {
    const text = texts.get(chain);
    const edits = text === undefined ? undefined : planEdits(inKernel.get(chain), text);
    if (edits) {
      rules.push(...edits);
      continue;
    }
    head.push(`:${chain} - [0:0]\n`);
    if (text === undefined) deletions.push(`-X ${chain}\n`);
    else rules.push(text);
  }
  return [`*${table}\n`, ...head, ...rules, ...deletions, 'COMMIT\n'].join('');
}

/** Deletions and insertions (at the head: the order of services means nothing); undefined when there are too many. */
function planEdits(before: string | undefined, after: string): string[] | undefined {
  if (!before) return undefined;
  const old = new Set(before.split('\n'));
  const wanted = new Set(after.split('\n'));
  const gone = [...old].filter((line) => !wanted.has(line));
  const added = [...wanted].filter((line) => !old.has(line));
  if (gone.length + added.length > maxEdits) return undefined;
  return [
    ...gone.map((line) => `${line.replace(/^-A/, '-D')}\n`),
    ...added.map((line) => `${line.replace(/^-A (\S+)/, '-I $1 1')}\n`),
  ];
}

/** In the order of their names, endpoints come before the services that refer to them, and these before `X`. */
function portions(names: readonly string[]): string[][] {
  const sorted = names.toSorted();
  return Array.from({ length: Math.ceil(sorted.length / chainsPerCommit) }, (_, index) =>
    sorted.slice(index * chainsPerCommit, (index + 1) * chainsPerCommit),
  );
}
