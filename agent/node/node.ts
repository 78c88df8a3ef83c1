/**
 * This host as a Node of the cluster: registers or adopts the object, reports its status, renews its Lease. Wired by
 * `agent/main.ts`.
 *
 * Every ten seconds the facts are read again; the status is written when it changed, and every five minutes in any
 * case (documented defaults of the kubelet). A Node that somebody deleted is registered again. Starting does not wait
 * for the master: what fails is tried again. All delays are monotonic, so a jump of the clock delays no heartbeat.
 */
import { isReason } from '../../src/api/errors.js';
import { apiVersionOf, nodes as nodeType } from '../../src/api/kinds.js';
import { findCondition } from '../../src/api/meta.js';
import type { Node, NodeStatus, OwnerReference } from '../../src/api/types.js';
import type { Source } from '../../src/client/cache.js';
import type { Client } from '../../src/client/client.js';
import { createController } from '../../src/client/controller.js';
import type { EventRecorder } from '../../src/client/events.js';
import { createHeartbeat } from '../../src/client/leases.js';
import type { Clock } from '../../src/host/clock.js';
import { type Component, healthyNow } from '../../src/host/component.js';
import type { Logger } from '../../src/host/log.js';
import type { Runtime } from '../runtime/runtime.js';
import type { Check, Pressure } from './conditions.js';
import { type Machine, readMachine, readUsage, type Usage } from './machine.js';
import type { NodeAddress } from './nodeaddress.js';
import { nodeEvents, nodeReference } from './nodeevents.js';
import {
  defaultLabels,
  type NodeOptions,
  newNode,
  nodeStatusOf,
  patchOf,
  type StatusFacts,
  saysTheSame,
} from './nodestatus.js';
import { createRuntimeProbe } from './runtimeprobe.js';

export interface NodeComponentOptions {
  client: Client;
  options: NodeOptions;
  runtime: Pick<Runtime, 'version' | 'listImages'>;
  /** Own changes of the node wake the reporter: a deletion, a pod range, conditions that others set. */
  nodes: Pick<Source<Node>, 'get' | 'onChange'>;
  address: NodeAddress;
  /** The node is Ready when all of these are healthy: the pod network, the pods. */
  checks: readonly Check[];
  /** What the node is short of, as eviction judges it. */
  pressures(): ReadonlySet<Pressure>;
  /** On the file system whose space counts. */
  dataDirectory: string;
  recorder: EventRecorder;
  clock: Clock;
  log: Logger;
  /** The host's facts, for tests. */
  host?: {
    machine(): Promise<Machine>;
    usage(): Promise<Usage>;
  };
}

export interface NodeComponent extends Component {
  /** Looks at once, because something changed that a check tells. */
  refresh(): void;
}

const lookMs = 10_000;
/** While the node is not Ready every second counts. */
const notReadyLookMs = 1_000;
const reportMs = 5 * 60_000;

export function createNodeComponent(deps: NodeComponentOptions): NodeComponent {
  const { client, options, nodes, address, clock } = deps;
  const log = deps.log.child({ component: 'node' });
  const ref = { name: options.nodeName };
  const host = deps.host ?? {
    machine: () => readMachine(),
    usage: () => readUsage(deps.dataDirectory),
  };
  const runtime = createRuntimeProbe({ runtime: deps.runtime, name: options.runtime, clock });
  let machine: Machine | undefined;
  /** Undefined: to be registered. */
  let uid: string | undefined;
  /** Of the Node we knew last: a lease that names a deleted one is collected and made anew. */
  let ownerUid: string | undefined;
  let posted: { status: NodeStatus; atMs: number } | undefined;
  let trouble = 'the node is not registered yet';
  let unsubscribe = (): void => undefined;
  let beats = false;

  const heartbeat = createHeartbeat({
    client,
    clock,
    log,
    ref: { namespace: 'kube-node-lease', name: options.nodeName },
    identity: options.nodeName,
    owner: (): OwnerReference | undefined =>
      ownerUid === undefined
        ? undefined
        : { apiVersion: apiVersionOf(nodeType), kind: nodeType.kind, name: options.nodeName, uid: ownerUid },
  });

  /** Creates the Node, or takes over the one that is there: its labels become ours, the rest stays. */
  async function register(facts: Machine, signal: AbortSignal): Promise<void> {
    let node: Node;
    try {
      node = await client.create(nodeType, newNode(options, facts), { signal });
      log.info({ node: options.nodeName }, 'node registered');
    } catch (error) {
      if (!isReason(error, 'AlreadyExists')) throw error;
      const body = { metadata: { labels: defaultLabels(options.nodeName, facts) } };
      node = await client.patch(nodeType, ref, { type: 'merge', body }, { signal });
      log.info({ node: options.nodeName }, 'node adopted');
    }
    uid = node.metadata.uid;
    ownerUid = uid;
    posted = undefined;
  }

  /** A slow runtime delays the status, not the heartbeat: the lease has a loop of its own. */
  async function gather(facts: Machine, signal: AbortSignal): Promise<Omit<StatusFacts, 'now'>> {
    await address.look();
    const [usage, answer] = await Promise.all([host.usage(), runtime.ask(signal)]);
    return {
      machine: facts,
      usage,
      nodeIps: address.ips,
      runtimeError: answer.error,
      runtime: answer.facts,
      pressures: deps.pressures(),
      checks: deps.checks,
    };
  }

  /** The conditions as the cluster has them: another writer may have set ours to Unknown. */
  const known = (): NodeStatus => nodes.get(ref)?.status ?? posted?.status ?? {};

  async function report(facts: Machine, signal: AbortSignal): Promise<NodeStatus> {
    const found = await gather(facts, signal);
    const statusNow = (before: NodeStatus): NodeStatus =>
      nodeStatusOf(options, before, { ...found, now: clock.now() });
    const status = statusNow(known());
    const isDue = !posted || clock.monotonicMs() - posted.atMs >= reportMs;
    if (!isDue && posted && saysTheSame(status, posted.status) && !isContradicted(status))
      return posted.status;
    const current = await client.get(nodeType, ref, { signal });
    const next = statusNow(current.status ?? {});
    const { resourceVersion } = current.metadata;
    const body = { metadata: { resourceVersion }, status: patchOf(current.status ?? {}, next) };
    await client.patch(nodeType, ref, { type: 'merge', body }, { subresource: 'status', signal });
    posted = { status: next, atMs: clock.monotonicMs() };
    const about = nodeReference(options.nodeName);
    for (const { type, reason, message } of nodeEvents(options.nodeName, current.status ?? {}, next)) {
      deps.recorder.event(about, type, reason, message);
    }
    return next;
  }

  /** Whether the cluster has another opinion of one of our conditions than we do. */
  function isContradicted(status: NodeStatus): boolean {
    const theirs = nodes.get(ref)?.status?.conditions;
    if (!theirs) return false;
    return (status.conditions ?? []).some(({ type, status: own }) => {
      const their = findCondition(theirs, type);
      return their !== undefined && their.status !== own;
    });
  }

  async function look(signal: AbortSignal): Promise<NodeStatus> {
    machine ??= await host.machine();
    if (uid === undefined) await register(machine, signal);
    if (!beats) {
      beats = true;
      await heartbeat.start(signal);
    }
    try {
      return await report(machine, signal);
    } catch (error) {
      if (isReason(error, 'NotFound')) uid = undefined;
      throw error;
    }
  }

  const controller = createController({
    name: 'node-status',
    sources: [],
    clock,
    log,
    backoff: { minMs: 200, maxMs: 7_000, jitter: 0.2 },
    reconciler: {
      async reconcile(_key, { signal }) {
        try {
          const status = await look(signal);
          trouble = '';
          const isReady = findCondition(status.conditions, 'Ready')?.status === 'True';
          return { requeueAfterMs: isReady ? lookMs : notReadyLookMs };
        } catch (error) {
          trouble = error instanceof Error ? error.message : String(error);
          throw error;
        }
      },
    },
  });

  return {
    name: 'node',
    async start(signal) {
      await controller.start(signal);
      controller.enqueue('node');
      unsubscribe = nodes.onChange(({ key, old, current }) => {
        if (key !== options.nodeName) return;
        if (!current) uid = undefined;
        const hasRange = old?.spec?.podCIDR !== current?.spec?.podCIDR;
        if (!current || hasRange || (posted && isContradicted(posted.status))) controller.enqueue('node');
      });
    },
    async stop() {
      unsubscribe();
      await controller.stop();
      await heartbeat.stop();
    },
    healthy: () => (trouble === '' ? healthyNow : { ok: false, reason: trouble }),
    refresh: () => controller.enqueue('node'),
  };
}
