/**
 * UDP flows that still lead to an endpoint which is gone: the kernel keeps translating a flow as it did at its first
 * packet, so the entries have to be removed when the rules change. Pure plan, thin act; called by `sync.ts`.
 *
 * TCP needs none of this: its connections end by themselves, and live ones to a terminating endpoint must go on.
 */
import type { Exec } from '../../src/host/exec.js';
import type { ServicePort } from './model.js';

/** Which entries to delete, as filters of `conntrack -D`. */
export type FlowFilter = readonly string[];

const targetsOf = (port: ServicePort): Set<string> =>
  new Set([...port.targets, ...port.localTargets].map((target) => target.address));

/** Flows to delete when a service's ports change from `before` to `after`. */
export function staleFlows(before: readonly ServicePort[], after: readonly ServicePort[]): FlowFilter[] {
  const filters: FlowFilter[] = [];
  for (const old of before.filter(isUdp)) {
    const next = after.find((port) => port.name === old.name && isUdp(port));
    const kept = next ? targetsOf(next) : new Set<string>();
    for (const address of targetsOf(old)) {
      if (kept.has(address)) continue;
      for (const destination of destinationsOf(old)) filters.push([...destination, '--dst-nat', address]);
    }
  }
  for (const port of after.filter(isUdp)) {
    const old = before.find((candidate) => candidate.name === port.name && isUdp(candidate));
    // Clients that kept sending while there was no endpoint have an untranslated flow, and would keep it.
    const isFirst = port.targets.length > 0 && (old?.targets.length ?? 0) === 0;
    if (isFirst) filters.push(...destinationsOf(port));
  }
  return filters;
}

/** One translated flow: where its client sends to, and which endpoint answers. */
interface Flow {
  destination: string;
  port: number;
  endpoint: string;
}

/** Lines of `conntrack -L`: source, destination and ports of the first packet, then those of the answer. */
function parseFlows(text: string): Flow[] {
  return text.split('\n').flatMap((line) => {
    const values = (name: string): string[] =>
      [...line.matchAll(new RegExp(`\\b${name}=(\\S+)`, 'g'))].map((found) => found[1] ?? '');
    const [destination] = values('dst');
    const [port] = values('dport');
    const endpoint = values('src')[1];
    return destination && port && endpoint ? [{ destination, port: Number(port), endpoint }] : [];
  });
}

/** Flows of our services, among those listed, that lead to an endpoint which is none any more. */
export function leftoverFlows(listed: string, ports: readonly ServicePort[]): FlowFilter[] {
  const byAddress = new Map<string, ServicePort>();
  const byNodePort = new Map<number, ServicePort>();
  for (const port of ports.filter(isUdp)) {
    for (const address of [port.clusterIp, ...port.externalIps, ...port.loadBalancerIps]) {
      byAddress.set(`${address}:${port.port}`, port);
    }
    if (port.nodePort > 0) byNodePort.set(port.nodePort, port);
  }
  const filters = new Map<string, FlowFilter>();
  for (const { destination, port, endpoint } of parseFlows(listed)) {
    const service = byAddress.get(`${destination}:${port}`) ?? byNodePort.get(port);
    if (!service || targetsOf(service).has(endpoint)) continue;
    const filter = ['--orig-dst', destination, '--orig-port-dst', String(port), '--dst-nat', endpoint];
    filters.set(filter.join(' '), filter);
  }
  return [...filters.values()];
}

/** The UDP flows that the kernel translates, as text. */
export async function listFlows(exec: Exec): Promise<string> {
  const { code, stdout, stderr } = await exec('conntrack', ['-L', '-f', 'ipv4', '-p', 'udp', '--dst-nat']);
  if (code !== 0) throw new Error(`conntrack -L: ${stderr.trim()}`);
  return stdout;
}

const isUdp = (port: ServicePort): boolean => port.protocol === 'udp';

const destinationsOf = (port: ServicePort): FlowFilter[] => [
  ...[port.clusterIp, ...port.externalIps, ...port.loadBalancerIps].map((address) => ['--orig-dst', address]),
  ...(port.nodePort > 0 ? [['--orig-port-dst', String(port.nodePort)]] : []),
];

/** Deletes the flows; that there is none is fine. Throws when conntrack itself fails. */
export async function deleteFlows(exec: Exec, filters: readonly FlowFilter[]): Promise<void> {
  for (const filter of filters) {
    const { code, stderr } = await exec('conntrack', ['-D', '-f', 'ipv4', '-p', 'udp', ...filter]);
    if (code !== 0 && !/0 flow entries/.test(stderr)) throw new Error(`conntrack -D: ${stderr.trim()}`);
  }
}
