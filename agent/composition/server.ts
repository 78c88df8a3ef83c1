/**
 * The agent's own HTTPS server, and the renewal of its certificate.
 */
import { availableParallelism, totalmem, uptime } from 'node:os';
import type { Runtime } from '../runtime/runtime.js';
import { createAccess } from '../server/access.js';
import { metricsPages } from '../server/metrics-pages.js';
import { createAgentServer } from '../server/server.js';
import type { Base } from './base.js';
import type { Caches } from './caches.js';
import type { Membership } from './membership.js';
import type { RunningPods } from './pods.js';

export interface ServerInput {
  membership: Membership;
  runtime: Runtime;
  caches: Caches;
  running: RunningPods;
}

export async function startServer(base: Base, input: ServerInput): Promise<void> {
  const { options, clock, log, start } = base;
  const { nodeName } = options;
  const { membership, runtime, caches, running } = input;
  const { credentials, client } = membership;
  const { pods, stats } = running;
  const ownPods = () => caches.ownPods.list();
  const server = createAgentServer({
    port: options.agentPort,
    address: options.bindAddress,
    tls: {
      key: () => credentials.serving.key,
      cert: () => credentials.serving.cert,
      clientCa: () => credentials.ca,
    },
    access: createAccess({ nodeName, client, clock, log }),
    syncLoop: () => pods.healthy(),
    lookup: { containerId: (target, how) => pods.containerId(target, how), pods: ownPods },
    runtime,
    pages: metricsPages({
      nodeName,
      stats,
      machine: () => ({ cpuCount: availableParallelism(), memoryBytes: totalmem() }),
      startedAt: new Date(clock.now().getTime() - uptime() * 1000),
      pods: ownPods,
      probeResults: () => pods.probeResults(),
    }),
    log,
  });
  await start(server);
  await membership.startRenewal(() => server.reloadCertificates());
}
