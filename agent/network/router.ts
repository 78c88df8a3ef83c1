/**
 * Keeps the routes to the pods of other nodes: observes, asks `routes.ts` for a plan, runs it in batches.
 *
 * Wired by `agent/main.ts`; woken by changes of Node objects that matter for routes. Routes that somebody flushed come
 * back with the next slow look, as the kernel's route events would cost a process of their own.
 */
import type { Node } from '../../src/api/types.js';
import type { Change, Source } from '../../src/client/cache.js';
import { createController, on } from '../../src/client/controller.js';
import type { Clock } from '../../src/host/clock.js';
import type { Component } from '../../src/host/component.js';
import { type Exec, run } from '../../src/host/exec.js';
import type { Logger } from '../../src/host/log.js';
import { findUnderlay, ipJson } from './links.js';
import {
  type Command,
  internalIpOf,
  type Observed,
  type Peer,
  peersOf,
  planRoutes,
  type RouteState,
  routeProtocol,
  type VxlanState,
  vxlanDevice,
} from './routes.js';

export interface RoutesOptions {
  nodeName: string;
  /** This node's address, as it is when it is asked. */
  nodeIp: () => string;
  nodes: Source<Node>;
  clock: Clock;
  log: Logger;
  exec?: Exec;
}

const relookMs = 60_000;

export function createRoutes(options: RoutesOptions): Component {
  const { nodeName, nodes, clock, log, exec = run } = options;
  return createController({
    name: 'routes',
    sources: [on(nodes, (change) => (concernsRoutes(change) ? ['routes'] : []))],
    clock,
    log,
    reconciler: {
      async reconcile(_key, context) {
        const nodeIp = options.nodeIp();
        const peers = peersOf(nodes.list(), nodeName);
        const observed = await observe(exec, peers);
        const own = { podCidr: nodes.get({ name: nodeName })?.spec?.podCIDR ?? '', nodeIp };
        const commands = planRoutes({ ...own, ...(await findUnderlay(exec, nodeIp)) }, peers, observed);
        for (const batch of batchesOf(commands)) {
          context.log.info({ tool: batch.tool, commands: batch.lines }, 'changing routes');
          await runBatch(exec, batch);
        }
        return { requeueAfterMs: relookMs };
      },
    },
  });
}

/** Heartbeats change nodes all the time; the pod range and the address hardly ever. */
function concernsRoutes({ old, current }: Change<Node>): boolean {
  const facts = (node: Node | undefined): string =>
    node ? `${node.spec?.podCIDR ?? ''} ${internalIpOf(node)}` : 'absent';
  return facts(old) !== facts(current);
}

/** What the kernel has. A node address it has no route to at all is treated as distant. */
export async function observe(exec: Exec, peers: readonly Peer[]): Promise<Observed> {
  const [routes, vxlan, direct] = await Promise.all([
    ipJson<RouteState>(exec, ['route', 'show', 'proto', routeProtocol]),
    observeVxlan(exec),
    observeDirect(exec, peers),
  ]);
  return { routes, vxlan, direct };
}

async function observeDirect(exec: Exec, peers: readonly Peer[]): Promise<Set<string>> {
  if (peers.length === 0) return new Set();
  const input = peers.map((peer) => `route get ${peer.nodeIp}\n`).join('');
  // -force: an unreachable node must not hide the others; its line is missing then.
  const { stdout } = await exec('ip', ['-j', '-force', '-batch', '-'], { input });
  const answers = stdout
    .split('\n')
    .filter((line) => line.startsWith('['))
    .flatMap((line) => JSON.parse(line) as { dst: string; gateway?: string; via?: unknown; type?: string }[]);
  return new Set(answers.filter((a) => !a.gateway && !a.via && a.type !== 'local').map((a) => a.dst));
}

interface LinkJson {
  address?: string;
  mtu?: number;
  linkinfo?: { info_data?: { local?: string; link?: string; port?: number } };
}

async function observeVxlan(exec: Exec): Promise<VxlanState | undefined> {
  const [link] = await ipJson<LinkJson>(exec, ['-d', 'link', 'show', 'dev', vxlanDevice]);
  if (!link) return undefined;
  const [addresses, neighbours, forwarding] = await Promise.all([
    ipJson<{ addr_info?: { local: string }[] }>(exec, ['-4', 'address', 'show', 'dev', vxlanDevice]),
    ipJson<{ dst: string; lladdr?: string }>(exec, ['-4', 'neighbour', 'show', 'dev', vxlanDevice]),
    exec('bridge', ['-j', 'fdb', 'show', 'dev', vxlanDevice]),
  ]);
  const entries = JSON.parse(forwarding.stdout.trim() || '[]') as { mac: string; dst?: string }[];
  const data = link.linkinfo?.info_data;
  return {
    macAddress: link.address ?? '',
    nodeIp: data?.local ?? '',
    device: data?.link ?? '',
    mtuBytes: link.mtu ?? 0,
    port: data?.port ?? 0,
    addresses: addresses.flatMap((entry) => entry.addr_info?.map(({ local }) => local) ?? []),
    neighbours: new Map(neighbours.map((entry) => [entry.dst, entry.lladdr ?? ''])),
    forwarding: new Map(entries.map((entry) => [entry.mac, entry.dst ?? ''])),
  };
}

export interface Batch {
  tool: Command['tool'];
  lines: string[];
}

/** Neighbouring commands of one tool share a process; the order is kept. */
export function batchesOf(commands: readonly Command[]): Batch[] {
  const batches: Batch[] = [];
  for (const { tool, args } of commands) {
    const last = batches.at(-1);
    if (last?.tool === tool) last.lines.push(args.join(' '));
    else batches.push({ tool, lines: [args.join(' ')] });
  }
  return batches;
}

/** One bad line (a node whose subnet went away) must not keep the others from being reached. */
export async function runBatch(exec: Exec, { tool, lines }: Batch): Promise<void> {
  const { code, stderr } = await exec(tool, ['-force', '-batch', '-'], { input: `${lines.join('\n')}\n` });
  if (code !== 0) throw new Error(`${tool} -batch: ${stderr.trim()}`);
}
