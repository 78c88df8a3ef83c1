/**
 * The agent's composition root: the only place that knows every part of a node. Called by `wherry agent`, by the lab
 * and by tests that want a whole one.
 *
 *   lock -> join -> caches -> pod network, routes, Services -> pods -> HTTPS server -> node registration, heartbeat
 *
 * Nothing of the start waits for the master but the first join: a node whose master is away keeps its pods running.
 * A stop ends in the other order and never touches a container; the next start finds them by their labels.
 */
import { setMaxListeners } from 'node:events';
import { availableParallelism, totalmem, uptime } from 'node:os';
import { join } from 'node:path';
import { endpointSlices, nodes, pods as podType, services as serviceType } from '../src/api/kinds.js';
import type { Pod } from '../src/api/types.js';
import { createEventRecorder } from '../src/client/events.js';
import { createInformers } from '../src/client/informers.js';
import { createRestClient } from '../src/client/rest.js';
import type { Clock } from '../src/host/clock.js';
import { type Component, healthOf, healthyNow, startAll, stopAll } from '../src/host/component.js';
import { run as exec } from '../src/host/exec.js';
import { createLock, ensureDirectory } from '../src/host/files.js';
import type { Logger } from '../src/host/log.js';
import { findNodeIp } from './address.js';
import { cgroupParent, directoryOf, parseRoot, podCgroup } from './cgroups/layout.js';
import { qosClassOf } from './cgroups/limits.js';
import { createPodCgroups } from './cgroups/manager.js';
import { readOomScoreFloor } from './cgroups/oom.js';
import { createReclaim } from './eviction/parts.js';
import { createImages } from './images/parts.js';
import { createLogLinks } from './logs/links.js';
import { createPodNetwork } from './network/pods.js';
import { createRoutes } from './network/router.js';
import { createRuntimeNetwork } from './network/runtime-network.js';
import { enforcedLimits, requireReservable } from './node/allocatable.js';
import { joinCluster } from './node/bootstrap.js';
import { createRenewal } from './node/bootstrap-renewal.js';
import { createEnforcement } from './node/enforcement.js';
import { readMachine } from './node/machine.js';
import { createNodeComponent } from './node/node.js';
import { createNodeAddress } from './node/nodeaddress.js';
import type { AgentOptions } from './options.js';
import { createGate } from './pods/gate.js';
import { createPods, uidIndexers } from './pods/pods.js';
import { openRuntime } from './runtime/open.js';
import { createAccess } from './server/access.js';
import { metricsPages } from './server/metrics-pages.js';
import { createAgentServer } from './server/server.js';
import { createStats } from './server/stats.js';
import { UsageReader } from './server/stats-usage.js';
import { createIptables } from './services/iptables.js';
import { sliceIndexers } from './services/model.js';
import { createServiceProxy } from './services/sync.js';
import { createShutdown } from './shutdown/parts.js';
import { createMounter } from './volumes/mounts.js';

export interface AgentDeps {
  clock: Clock;
  log: Logger;
}

export function createAgent(options: AgentOptions, deps: AgentDeps): Component {
  const running: Component[] = [];
  const stopping = new AbortController();
  // Every part listens to it, and there are more than ten.
  setMaxListeners(0, stopping.signal);

  return {
    name: 'agent',
    async start(signal) {
      signal.addEventListener('abort', () => stopping.abort(signal.reason), { once: true });
      const directory = join(options.dataDir, 'agent');
      const start = async (component: Component): Promise<void> => {
        await startAll([component], stopping.signal);
        running.push(component);
      };
      try {
        await ensureDirectory(directory, 0o700);
        await start(createLock(join(directory, 'lock')));
        await startParts({ options, deps, directory, start, signal: stopping.signal });
      } catch (error) {
        await stopAll(running.splice(0));
        throw error;
      }
    },
    async stop() {
      stopping.abort(new Error('the agent stops'));
      await stopAll(running.splice(0));
    },
    healthy: () => healthOf(running),
  };
}

interface Assembly {
  options: AgentOptions;
  deps: AgentDeps;
  directory: string;
  start(component: Component): Promise<void>;
  signal: AbortSignal;
}

async function startParts({ options, deps, directory, start, signal }: Assembly): Promise<void> {
  const { clock, log } = deps;
  const { nodeName } = options;
  const address = createNodeAddress({
    ip: options.nodeIp ?? (await findNodeIp(options.server)),
    isFixed: options.nodeIp !== undefined,
    find: () => findNodeIp(options.server),
    log,
  });
  const machine = await readMachine();
  requireReservable(machine, options);
  const pkiDir = join(directory, 'pki');
  const identity = { nodeName, nodeIps: address.ips };
  const credentials = await joinCluster({
    ...identity,
    server: options.server,
    token: options.token,
    pkiDir,
    signal,
    log,
    clock,
  });
  const client = createRestClient({
    server: options.server,
    credentials: () => ({ ca: credentials.ca, ...credentials.client }),
    userAgent: 'wherry-agent',
  });
  await start(closing('client', () => client.close()));

  const oomScoreFloor = await readOomScoreFloor(log);
  const opened = await openRuntime({
    name: options.runtime,
    socketPath: options.runtimeEndpoint,
    node: nodeName,
    logDirectory: options.logDirectory,
    log,
    clock,
    oomScoreFloor,
  });
  const { runtime } = opened;
  await start(closing('runtime', () => opened.close()));
  for (const part of opened.parts) await start(part);
  const { cgroupDriver, features } = await runtime.version();
  const cgroupRoot = parseRoot(options.cgroupRoot);
  const cgroups = {
    ...(await createPodCgroups({
      root: options.cgroupRoot,
      driver: cgroupDriver,
      exec,
      policy: {
        cfsQuota: options.cpuCfsQuota,
        podMaxPids: options.podMaxPids,
        reservesMemory: options.memoryReservationPolicy === 'TieredReservation',
      },
    })),
    parentOf: (pod: Pod): string =>
      cgroupParent(podCgroup(cgroupRoot, qosClassOf(pod), pod.metadata.uid ?? ''), cgroupDriver),
  };

  const informers = createInformers({ client, clock, log });
  const ownPods = informers.get(podType, {
    fieldSelector: `spec.nodeName=${nodeName}`,
    indexers: uidIndexers,
  });
  const allNodes = informers.get(nodes);
  const allServices = informers.get(serviceType);
  const slices = informers.get(endpointSlices, { indexers: sliceIndexers });
  await start(informers);

  const gate = createGate();
  const recorder = createEventRecorder({
    client,
    clock,
    log,
    component: 'kubelet',
    host: nodeName,
    isBusy: () => gate.isCrowded(),
  });
  await start(recorder);
  const limits = enforcedLimits(machine, options);
  await start(createEnforcement({ nodeName, limits, limitAll: cgroups.limitAll, recorder, clock, log }));

  const firewall = createIptables({ clock });
  const { clusterCidr } = options;
  const networkOptions = {
    nodeName,
    nodeIp: address.current(),
    clusterCidr,
    dataDirectory: directory,
    nodes: allNodes,
    firewall,
    clock,
    log,
    confDirectory: options.cniConfDir,
  };
  const network = opened.network
    ? createRuntimeNetwork({ ...networkOptions, runtime: opened.network })
    : createPodNetwork(networkOptions);
  await start(network);
  await start(
    inBackground(createRoutes({ nodeName, nodeIp: address.current, nodes: allNodes, clock, log }), log),
  );
  const proxy = {
    nodeName,
    clusterCidr,
    services: allServices,
    endpointSlices: slices,
    firewall,
    clock,
    log,
  };
  await start(inBackground(createServiceProxy(proxy), log));

  const images = await createImages({ flags: options, runtime, client, recorder, directory, clock, log });
  const reader = await UsageReader.create();
  const stats = createStats({
    reader,
    pods: () => ownPods.list(),
    cgroups: { root: cgroupRoot, driver: cgroupDriver },
    dataDirectory: directory,
    clock,
    signal,
  });
  const podsDirectory = join(directory, 'pods');
  const { eviction, imageGc, admit } = createReclaim({
    eviction: options.eviction,
    imageGc: options.imageGc,
    runtime,
    features,
    pods: () => ownPods.list(),
    end: (uid, end) => pods.end(uid, end),
    node: () => allNodes.get({ name: nodeName }),
    onChange: () => node.refresh(),
    stats,
    reader,
    podsCgroup: directoryOf(cgroupRoot, cgroupDriver),
    isAllocatableEnforced: options.enforceNodeAllocatable.includes('pods'),
    allowedSysctls: options.podConfig.allowedUnsafeSysctls,
    mounter: createMounter(exec),
    dataDirectory: directory,
    podsDirectory,
    recorder,
    clock,
    log,
  });
  const shutdown = createShutdown({
    options,
    runtime,
    pods: () => ownPods.list(),
    end: (uid, end) => pods.end(uid, end),
    onChange: () => node.refresh(),
    clock,
    log,
    signal,
  });
  const pods = createPods({
    client,
    source: ownPods,
    services: () => allServices.list(),
    runtime,
    network,
    cgroups,
    images,
    recorder,
    gate,
    exec,
    clock,
    log,
    nodeName,
    config: options.podConfig,
    node: { runtimeName: options.runtime, hostIPs: address.ips, qosClassOf },
    allocatable: () => allNodes.get({ name: nodeName })?.status?.allocatable ?? {},
    nodeLabels: () => allNodes.get({ name: nodeName })?.metadata.labels ?? {},
    podsDirectory,
    admit: (pod, active) => shutdown?.admit(pod, active) ?? admit(pod, active),
    logLinks: createLogLinks({ directory: options.logDirectory, log }),
  });
  await start(pods);

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
    lookup: { containerId: (target, how) => pods.containerId(target, how), pods: () => ownPods.list() },
    runtime,
    pages: metricsPages({
      nodeName,
      stats,
      machine: () => ({ cpuCount: availableParallelism(), memoryBytes: totalmem() }),
      startedAt: new Date(clock.now().getTime() - uptime() * 1000),
      pods: () => ownPods.list(),
      probeResults: () => pods.probeResults(),
    }),
    log,
  });
  await start(server);
  const onRenewed = (name: string): void => {
    if (name === 'serving') server.reloadCertificates();
  };
  const renewal = createRenewal({ credentials, identity, pkiDir, client, clock, log, onRenewed });
  await start(renewal);
  address.onChange(() => renewal.enqueue('serving'));
  const node = createNodeComponent({
    client,
    options,
    runtime,
    nodes: allNodes,
    address,
    recorder,
    checks: [network, pods, ...(shutdown ? [shutdown.check] : [])],
    pressures: () => eviction.pressures(),
    dataDirectory: directory,
    clock,
    log,
  });
  await start(node);
  await start(eviction);
  await start(imageGc);
  if (shutdown) await start(shutdown);
}

/** Something that only has to be closed at the end. */
const closing = (name: string, close: () => Promise<void>): Component => ({
  name,
  start: async () => undefined,
  stop: close,
  healthy: () => healthyNow,
});

/** A part whose start waits for the API: the agent goes on meanwhile. */
function inBackground(component: Component, log: Logger): Component {
  let trouble = `${component.name} has not started yet`;
  return {
    name: component.name,
    async start(signal) {
      component.start(signal).then(
        () => {
          trouble = '';
        },
        (error: unknown) => {
          trouble = `${component.name} did not start`;
          if (!signal.aborted) log.error({ err: error, part: component.name }, 'a part did not start');
        },
      );
    },
    stop: () => component.stop(),
    healthy: () => (trouble === '' ? component.healthy() : { ok: false, reason: trouble }),
  };
}
