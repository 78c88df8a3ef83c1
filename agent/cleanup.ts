/**
 * Takes everything of this agent off the host: containers, pod network, rules, mounts, cgroups; with `purge` its data
 * and credentials too. Called by `wherry cleanup` and `npm run down`, when the agent does not run. Idempotent; goes on
 * after a failed step and throws all failures together at the end; data is removed only after none has failed, because a
 * volume may still be mounted in it.
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock } from '../src/host/clock.js';
import { run as exec } from '../src/host/exec.js';
import type { Logger } from '../src/host/log.js';
import { type OwnData, removeEmpty, removeOwn } from '../src/host/removal.js';
import { createPodCgroups } from './cgroups/manager.js';
import { removeLogLinks } from './logs/links.js';
import { cleanUpNetwork } from './network/cleanup.js';
import type { AgentOptions } from './options.js';
import { openRuntime } from './runtime/open.js';
import { type Runtime, RuntimeError } from './runtime/runtime.js';
import { createIptables } from './services/iptables.js';
import { cleanUpServices } from './services/removal.js';
import { delayFile } from './shutdown/logind.js';
import { memoryDirectoryOf } from './volumes/memory.js';
import { createMounter } from './volumes/mounts.js';

const data: OwnData = {
  names: ['cni', 'config.json', 'lock', 'memory', 'pki', 'pods', 'seccomp', 'sysctls.json'],
  marks: ['lock', 'pki/ca.crt', 'pki/client.pem', 'pki/client.pending.key'],
};

/** The answer is what `purge` found in the agent's directory that is not the agent's, and left. */
export async function cleanUp(
  options: AgentOptions,
  how: { purge: boolean; log: Logger },
): Promise<readonly string[]> {
  const { purge, log } = how;
  const directory = join(options.dataDir, 'agent');
  const { runtime, network, close } = await openRuntime({
    name: options.runtime,
    socketPath: options.runtimeEndpoint,
    node: options.nodeName,
    logDirectory: options.logDirectory,
    clock: systemClock,
    log,
  });
  const firewall = createIptables({ clock: systemClock });
  const mounter = createMounter(exec);
  const errors: unknown[] = [];
  const step = async (work: () => Promise<unknown>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      errors.push(error);
    }
  };
  try {
    await step(() => removeContainers(runtime, log));
    await step(() => cleanUpServices(firewall));
    await step(async () => {
      // A runtime that is away says nothing: the file is then looked for where the flags say.
      const told = await network?.cniConfDirectory().catch(() => undefined);
      const confDirectory = network && (told ?? options.cniConfDir);
      await cleanUpNetwork({ dataDirectory: directory, firewall, ...(confDirectory && { confDirectory }) });
    });
    const podsDirectory = join(directory, 'pods');
    await step(() => removeLogLinks({ directory: options.logDirectory, podsDirectory, log }));
    await step(() => mounter.removeTree(podsDirectory));
    await step(() => mounter.removeTree(memoryDirectoryOf(podsDirectory)));
    await step(() => removeCgroups(runtime, options.cgroupRoot));
    await step(() => rm(delayFile, { force: true }));
  } finally {
    await close();
  }
  if (errors.length > 0) throw new AggregateError(errors, errors.map(String).join('; '));
  const left = purge ? removeOwn(directory, data) : [];
  if (purge) removeEmpty(directory);
  return left;
}

/** Sandboxes take their containers with them; what is left is without a sandbox. */
async function removeContainers(runtime: Runtime, log: Logger): Promise<void> {
  try {
    for (const { id } of await runtime.listSandboxes()) await runtime.removeSandbox(id);
    for (const { id } of await runtime.listContainers()) await runtime.removeContainer(id);
  } catch (error) {
    if (!isAway(error)) throw error;
    log.warn({ err: error }, 'the runtime does not answer: what it may still hold is left as it is');
  }
}

/** Without a runtime nothing says which driver made them; plain directories are then looked for. */
async function removeCgroups(runtime: Runtime, root: string): Promise<void> {
  const drivers = await runtime.version().then(
    ({ cgroupDriver }) => [cgroupDriver],
    (error: unknown) => {
      if (isAway(error)) return ['cgroupfs' as const];
      throw error;
    },
  );
  for (const driver of drivers) await (await createPodCgroups({ root, driver, exec })).removeAll();
}

const isAway = (error: unknown): boolean => error instanceof RuntimeError && error.kind === 'unavailable';
