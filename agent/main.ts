/**
 * The agent's composition root: the only place that knows every part of a node. Called by `wherry agent`, by the lab
 * and by tests that want a whole one. What each step makes is in `composition/`.
 *
 *   lock -> join -> caches -> runtime -> pod network, routes, Services -> pods -> HTTPS server -> node registration, heartbeat
 *
 * Nothing of the start waits for the master but the first join: a node whose master is away keeps its pods running. It
 * waits for a container runtime that is down, as a Node that is not Ready.
 * A stop ends in the other order and never touches a container; the next start finds them by their labels.
 */
import { setMaxListeners } from 'node:events';
import { join } from 'node:path';
import type { Clock } from '../src/host/clock.js';
import { type Component, healthOf, startAll, stopAll } from '../src/host/component.js';
import { createLock, ensureDirectory } from '../src/host/files.js';
import type { Logger } from '../src/host/log.js';
import type { Base } from './composition/base.js';
import { startCaches } from './composition/caches.js';
import { joinMaster } from './composition/membership.js';
import { startNetwork } from './composition/network.js';
import { createNode, startEnforcement } from './composition/node.js';
import { startPods } from './composition/pods.js';
import { openNodeRuntime, openResources } from './composition/resources.js';
import { startServer } from './composition/server.js';
import { whenRuntimeAnswers } from './composition/waiting.js';
import { requireReservable } from './node/allocatable.js';
import { readMachine } from './node/machine.js';
import type { AgentOptions } from './options.js';

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
        await startParts({ options, ...deps, directory, start, signal: stopping.signal });
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

async function startParts(base: Base): Promise<void> {
  const { options, start } = base;
  const machine = await readMachine();
  requireReservable(machine, options);
  const membership = await joinMaster(base);
  const caches = await startCaches(base, membership.client);
  const opened = await openNodeRuntime(base);
  const version = await whenRuntimeAnswers(base, { runtime: opened.runtime, membership, caches });
  const resources = await openResources(base, opened, version);
  await startEnforcement(base, machine, resources, caches);
  const network = await startNetwork(base, { address: membership.address, resources, caches });
  const onNodeChange = (): void => node.refresh();
  const running = await startPods(base, { membership, resources, caches, network, onNodeChange });
  await startServer(base, { membership, resources, caches, running });
  const node = createNode(base, { membership, resources, caches, network, running });
  await start(node);
  for (const component of running.later) await start(component);
}
