/**
 * The agent's own HTTPS server, and the renewal of its certificate.
 */
import { availableParallelism, totalmem, uptime } from 'node:os';
import { join } from 'node:path';
import { createMeasure } from '../eviction/measure.js';
import { readUsage } from '../node/machine.js';
import { createAccess } from '../server/access.js';
import { configzPage } from '../server/configz.js';
import { metricsPages } from '../server/metrics-pages.js';
import { createAgentServer } from '../server/server.js';
import { createDiskStats } from '../server/stats-disk.js';
import type { Base } from './base.js';
import type { Caches } from './caches.js';
import type { Membership } from './membership.js';
import type { RunningPods } from './pods.js';
import type { NodeResources } from './resources.js';

export interface ServerInput {
  membership: Membership;
  resources: NodeResources;
  caches: Caches;
  running: RunningPods;
}

export async function startServer(base: Base, input: ServerInput): Promise<void> {
  const { options, clock, log, directory, start, signal } = base;
  const { nodeName } = options;
  const { membership, resources, caches, running } = input;
  const { runtime, operations, cgroupTree } = resources;
  const { credentials, client } = membership;
  const { pods, stats } = running;
  const ownPods = () => caches.ownPods.list();
  const disk = createDiskStats({
    measure: createMeasure({ runtime, stats, podsDirectory: join(directory, 'pods') }),
    imageDirectory: () => runtime.imageDirectory(),
    processes: async () => (await readUsage(directory)).processes,
    pods: ownPods,
    clock,
    signal,
  });
  const pages = metricsPages({
    nodeName,
    stats,
    disk,
    machine: () => ({ cpuCount: availableParallelism(), memoryBytes: totalmem() }),
    startedAt: new Date(clock.now().getTime() - uptime() * 1000),
    pods: ownPods,
    probeResults: () => pods.probeResults(),
    started: { source: caches.ownPods, clock, signal },
    operations,
    certificates: membership.figures,
  });
  const server = createAgentServer({
    port: options.agentPort,
    address: options.bindAddress,
    listen: options.listen,
    tls: {
      key: () => credentials.serving.key,
      cert: () => credentials.serving.cert,
      clientCa: () => credentials.ca,
    },
    access: createAccess({ nodeName, client, clock, log }),
    syncLoop: () => pods.healthy(),
    lookup: { containerId: (target, how) => pods.containerId(target, how), pods: ownPods },
    runtime,
    pages: new Map([...pages, ['/configz', configzPage(options, cgroupTree.driver)]]),
    logDirectory: options.logDirectory,
    streamIdleLimitMs: options.streamingConnectionIdleTimeoutMs,
    log,
  });
  await start(server);
  await membership.startRenewal(caches.recorder, () => server.reloadCertificates());
}
