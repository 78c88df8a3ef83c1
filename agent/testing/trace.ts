/**
 * Sends a packet through rules as the kernel would, without a kernel: reads `iptables-save` text of nat and filter and
 * tells every way the first packet of a connection may go, with its probability. Only what our rules use is
 * understood; anything else throws.
 */
import { containsIp, mustParseCidr } from '../../src/net/cidr.js';
import { parseIp } from '../../src/net/ip.js';

export interface Packet {
  source: string;
  destination: string;
  protocol: 'tcp' | 'udp' | 'sctp';
  port: number;
  /** The host's own addresses. */
  local: readonly string[];
  /** `recent` lists that know the source already. */
  known?: readonly string[];
}

export interface Outcome {
  verdict: 'accept' | 'drop' | 'reject';
  /** After translation. */
  destination: string;
  port: number;
  isMasqueraded: boolean;
  probability: number;
}

interface State {
  packet: Packet;
  mark: number;
  probability: number;
}

/** `next`: on to the following rule; `end`: of a chain, also by RETURN. */
interface Step {
  result: 'next' | 'end' | 'accept' | 'drop' | 'reject' | 'masquerade';
  state: State;
}

type Rules = ReadonlyMap<string, readonly string[][]>;

export function trace(saved: { nat: string; filter: string }, packet: Packet): Outcome[] {
  const nat = parseRules(saved.nat);
  const filter = parseRules(saved.filter);
  const start: State = { packet, mark: 0, probability: 1 };
  const isFromHost = packet.local.includes(packet.source);
  const outcomes: Outcome[] = [];
  for (const { state } of walk(nat, isFromHost ? 'OUTPUT' : 'PREROUTING', start)) {
    const isToHost = packet.local.includes(state.packet.destination);
    const hook = isFromHost ? 'OUTPUT' : isToHost ? 'INPUT' : 'FORWARD';
    for (const filtered of walk(filter, hook, state)) {
      const { result } = filtered;
      const verdict = result === 'drop' || result === 'reject' ? result : 'accept';
      const ways = verdict === 'accept' && !isToHost ? walk(nat, 'POSTROUTING', filtered.state) : [filtered];
      for (const way of ways) {
        const { packet: sent, probability } = way.state;
        const { destination, port } = sent;
        outcomes.push({
          verdict,
          destination,
          port,
          probability,
          isMasqueraded: way.result === 'masquerade',
        });
      }
    }
  }
  return outcomes;
}

const parseRules = (saved: string): Rules => {
  const rules = new Map<string, string[][]>();
  for (const line of saved.split('\n')) {
    const declared = /^:(\S+)/.exec(line)?.[1];
    if (declared) rules.set(declared, []);
    const [, chain = '', spec = ''] = /^-A (\S+) (.*)$/.exec(line) ?? [];
    if (chain) rules.get(chain)?.push(spec.match(/"[^"]*"|\S+/g) ?? []);
  }
  return rules;
};

function walk(rules: Rules, chain: string, start: State): Step[] {
  const chainRules = rules.get(chain);
  if (!chainRules) throw new Error(`no chain ${chain}`);
  let states = [start];
  const left: Step[] = [];
  for (const rule of chainRules) {
    const next: State[] = [];
    for (const state of states) {
      const { probability, target } = match(rule, state);
      if (probability < 1) next.push({ ...state, probability: state.probability * (1 - probability) });
      if (probability === 0) continue;
      for (const step of act(rules, target, { ...state, probability: state.probability * probability })) {
        if (step.result === 'next') next.push(step.state);
        else left.push(step);
      }
    }
    states = next;
  }
  return [...left, ...states.map((state): Step => ({ result: 'end', state }))];
}

/** Reads the conditions of a rule; what is left is its target with the target's arguments. */
function match(rule: readonly string[], state: State): { probability: number; target: readonly string[] } {
  const { packet } = state;
  const words = [...rule];
  let probability = 1;
  const condition = (isMet: boolean, isNegated: boolean): void => {
    if (isMet === isNegated) probability = 0;
  };
  while (words.length > 0 && words[0] !== '-j') {
    const isNegated = words[0] === '!';
    if (isNegated) words.shift();
    const word = words.shift() ?? '';
    const value = flags.has(word) ? '' : (words.shift() ?? '');
    const isLocal = (address: string): boolean =>
      packet.local.includes(address) || address.startsWith('127.');
    switch (word) {
      case '-m':
      case '--comment':
      case '--mode':
      case '--seconds':
      case '--reap':
      case '--rsource':
      case '--set':
        break;
      case '-s':
        condition(isIn(value, packet.source), isNegated);
        break;
      case '-d':
        condition(isIn(value, packet.destination), isNegated);
        break;
      case '-p':
        condition(packet.protocol === value, isNegated);
        break;
      case '--dport':
        condition(packet.port === Number(value), isNegated);
        break;
      case '--probability':
        probability *= Number(value);
        break;
      case '--mark':
        condition(hasMark(state.mark, value), isNegated);
        break;
      case '--src-type':
        condition(isLocal(packet.source), isNegated);
        break;
      case '--dst-type':
        condition(isLocal(packet.destination), isNegated);
        break;
      case '--ctstate':
        condition(value.split(',').includes('NEW'), isNegated);
        break;
      case '--name':
        // `--set` comes with a name too, but remembers instead of asking.
        if (words[0] === '--rcheck') condition(packet.known?.includes(value) === true, isNegated);
        if (words[0] === '--rcheck') words.shift();
        break;
      default:
        throw new Error(`this simulator does not know ${word}: ${rule.join(' ')}`);
    }
  }
  return { probability, target: words.slice(1) };
}

const flags = new Set(['--reap', '--rsource', '--set']);

const isIn = (cidr: string, address: string): boolean => {
  const ip = parseIp(address);
  return ip !== undefined && containsIp(mustParseCidr(cidr), ip);
};

function hasMark(mark: number, wanted: string): boolean {
  const [value = 0, mask = 0] = wanted.split('/').map(Number);
  return (mark & mask) === value;
}

function act(rules: Rules, [target = '', ...args]: readonly string[], state: State): Step[] {
  switch (target) {
    case 'ACCEPT':
      return [{ result: 'accept', state }];
    case 'DROP':
      return [{ result: 'drop', state }];
    case 'REJECT':
      return [{ result: 'reject', state }];
    case 'RETURN':
      return [{ result: 'end', state }];
    case 'MASQUERADE':
      return [{ result: 'masquerade', state }];
    case 'MARK': {
      const [value = 0, mask = 0] = (args[1] ?? '').split('/').map(Number);
      return [{ result: 'next', state: { ...state, mark: (state.mark & ~mask) ^ value } }];
    }
    case 'DNAT': {
      const [destination = '', port = ''] = (args[1] ?? '').split(':');
      return [
        {
          result: 'accept',
          state: { ...state, packet: { ...state.packet, destination, port: Number(port) } },
        },
      ];
    }
    default:
      return walk(rules, target, state).map((step) =>
        step.result === 'end' ? { ...step, result: 'next' } : step,
      );
  }
}
