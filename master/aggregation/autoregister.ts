/**
 * 5. An APIService for every group version that this server serves itself, so that clients see the whole of the API in one
 * list. Those of built-in groups are made when they are missing and are then left alone: who points one at a Service means
 * it. Those of CustomResourceDefinitions come and go with them.
 */
import { isReason } from '../../src/api/errors.js';
import { apiServices } from '../../src/api/kinds.js';
import type { APIService } from '../../src/api/types.js';
import type { Client } from '../../src/client/client.js';
import { type Controller, createController, on, type Trigger } from '../../src/client/controller.js';
import { ifFound } from '../../src/client/found.js';
import type { Informers } from '../../src/client/informers.js';
import type { Clock } from '../../src/host/clock.js';
import type { Logger } from '../../src/host/log.js';
import { apiServiceName } from '../registry/kinds/apiservice.js';
import type { ResourceSet } from '../resources/set.js';
import { isBuiltInGroup, priorityOf } from './priorities.js';

export interface AutoregisterOptions {
  client: Client;
  informers: Informers;
  resources: ResourceSet;
  clock: Clock;
  log: Logger;
}

const managedLabel = 'kube-aggregator.kubernetes.io/automanaged';
/** The group of the APIServices themselves is there before any of them. */
const ownGroup = 'apiregistration.k8s.io';

interface Local {
  group: string;
  version: string;
}

/** What there should be, by name. Pure. */
export function localVersions(resources: Pick<ResourceSet, 'rows'>): Map<string, Local> {
  const found = new Map<string, Local>();
  for (const { type } of resources.rows) {
    const { group, version } = type;
    if (group !== ownGroup) found.set(apiServiceName({ group, version }), { group, version });
  }
  return found;
}

export function createAutoregisterController(options: AutoregisterOptions): Controller {
  const { client, informers, resources, clock, log } = options;
  const cache = informers.get(apiServices);
  const served: Trigger = {
    whenSynced: () => Promise.resolve(),
    subscribe(enqueue) {
      let known = localVersions(resources);
      for (const name of known.keys()) enqueue(name);
      return resources.onChange(() => {
        const next = localVersions(resources);
        for (const name of new Set([...known.keys(), ...next.keys()])) enqueue(name);
        known = next;
      });
    },
  };
  return createController({
    name: 'apiservice-autoregister',
    clock,
    log,
    sources: [on(cache), served],
    reconciler: {
      async reconcile(name) {
        const wanted = localVersions(resources).get(name);
        const found = cache.get({ name });
        const isCustom = found?.metadata.labels?.[managedLabel] === 'true';
        if (!wanted && found && isCustom) await remove(client, name);
        if (wanted && !found) await create(client, localService(name, wanted));
      },
    },
  });
}

function localService(name: string, { group, version }: Local): APIService {
  const priority = priorityOf(group, version);
  return {
    metadata: { name, labels: { [managedLabel]: isBuiltInGroup(group) ? 'onstart' : 'true' } },
    spec: {
      ...(group && { group }),
      version,
      groupPriorityMinimum: priority.group,
      versionPriority: priority.version,
    },
  };
}

async function create(client: Client, service: APIService): Promise<void> {
  try {
    await client.create(apiServices, service);
  } catch (error) {
    if (!isReason(error, 'AlreadyExists')) throw error;
  }
}

async function remove(client: Client, name: string): Promise<void> {
  await ifFound(client.delete(apiServices, { name }));
}
