/**
 * The service proxy: keeps the packet filter in step with Services and EndpointSlices. Hangs on 4 (informers); wired by
 * `agent/main.ts`.
 *
 * A change marks its service; one worker renders the marked services, writes what differs in one restore and removes
 * stale UDP flows. A change while it works waits for the next round, so bursts cost few restores. After an error,
 * at the start and when somebody flushed our chains everything is written anew.
 */
import type { EndpointSlice, Service } from '../../src/api/types.js';
import type { Change, Source } from '../../src/client/cache.js';
import { createController, on } from '../../src/client/controller.js';
import type { Clock } from '../../src/host/clock.js';
import { type Component, healthyNow } from '../../src/host/component.js';
import { type Exec, run } from '../../src/host/exec.js';
import type { Logger } from '../../src/host/log.js';
import { deleteFlows, type FlowFilter, leftoverFlows, listFlows, staleFlows } from './conntrack.js';
import type { Firewall, Table } from './firewall.js';
import { type ServicePort, serviceIndex, serviceKeyOf, servicePortsOf } from './model.js';
import { isServiceChain } from './removal.js';
import { renderService, serviceJumps } from './rules.js';
import { createRuleset } from './ruleset.js';

export interface ServiceProxyOptions {
  /** Whose endpoints are local. */
  nodeName: string;
  clusterCidr: string;
  services: Source<Service>;
  /** Its informer has the indexes `sliceIndexers`. */
  endpointSlices: Source<EndpointSlice>;
  firewall: Firewall;
  clock: Clock;
  log: Logger;
  exec?: Exec;
}

/** Rest between two rounds: bounds the load while endpoints change all the time. The first change never waits. */
const restMs = 30;

export function createServiceProxy(options: ServiceProxyOptions): Component {
  const { nodeName, clusterCidr, services, endpointSlices, firewall, clock, exec = run } = options;
  const log = options.log.child({ component: 'services' });
  const ruleset = createRuleset(clusterCidr);
  const ports = new Map<string, ServicePort[]>();
  const marked = new Set<string>();
  const flows: FlowFilter[] = [];
  let needsAll = true;
  /** Before the first round nobody knows what changed while no agent ran; the flows themselves tell then. */
  let isFirstRound = true;
  let lastEndMs = Number.NEGATIVE_INFINITY;
  let trouble = 'not synced yet';
  let unsubscribe = (): void => undefined;

  function mark(keys: readonly string[]): string[] {
    for (const key of keys) if (key !== '') marked.add(key);
    return ['rules'];
  }

  function renderMarked(): void {
    for (const key of marked) {
      const service = services.getByKey(key);
      const slices = service ? endpointSlices.byIndex(serviceIndex, key) : [];
      const next = service ? servicePortsOf(service, slices, nodeName) : [];
      if (!isFirstRound) flows.push(...staleFlows(ports.get(key) ?? [], next));
      ruleset.setService(key, next.length > 0 ? renderService(next, clusterCidr) : undefined);
      if (next.length > 0) ports.set(key, next);
      else ports.delete(key);
    }
    marked.clear();
  }

  async function existingChains(table: Table): Promise<string[]> {
    const saved = await firewall.save(table);
    return saved
      .split('\n')
      .flatMap((line) => /^:(\S+) -/.exec(line)?.[1] ?? [])
      .filter(isServiceChain);
  }

  async function writeAll(): Promise<void> {
    const text = ruleset.renderAll({
      nat: await existingChains('nat'),
      filter: await existingChains('filter'),
    });
    await firewall.restore(text);
    for (const jump of serviceJumps) await firewall.ensureJump(jump);
    log.info({ services: ports.size }, 'service rules written in full');
  }

  async function round(): Promise<void> {
    const isFull = needsAll;
    // A flush or an error during this round sets it again.
    needsAll = false;
    renderMarked();
    if (isFull) {
      await writeAll();
    } else {
      const text = ruleset.renderChanges();
      if (text !== '') await firewall.restore(text);
    }
    ruleset.written();
  }

  const controller = createController({
    name: 'services',
    sources: [
      on(services, (change) => mark([change.key])),
      on(endpointSlices, (change) => mark(servicesOf(change))),
    ],
    clock,
    log,
    reconciler: {
      async reconcile(_key, { signal }) {
        const rest = lastEndMs + restMs - clock.monotonicMs();
        if (rest > 0) await clock.sleep(rest, signal);
        try {
          await round();
        } catch (error) {
          needsAll = true;
          trouble = String(error);
          throw error;
        } finally {
          lastEndMs = clock.monotonicMs();
        }
        trouble = '';
        if (isFirstRound) flows.push(...leftoverFlows(await listFlows(exec), [...ports.values()].flat()));
        isFirstRound = false;
        await deleteFlows(exec, flows.splice(0));
        return undefined;
      },
    },
  });

  return {
    name: 'services',
    async start(signal) {
      await controller.start(signal);
      controller.enqueue('rules');
      unsubscribe = firewall.onFlushed(() => {
        log.warn({}, 'somebody flushed the service rules, writing them again');
        needsAll = true;
        controller.enqueue('rules');
      });
    },
    async stop() {
      unsubscribe();
      await controller.stop();
    },
    healthy: () => (trouble === '' ? healthyNow : { ok: false, reason: `service rules: ${trouble}` }),
  };
}

const servicesOf = ({ old, current }: Change<EndpointSlice>): string[] =>
  [old, current].flatMap((slice) => (slice ? [serviceKeyOf(slice)] : []));
