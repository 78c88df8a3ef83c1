/**
 * 5. CustomResourceDefinitions: gives them their names, has their kinds served before it says so, and removes their
 * instances before they go. What is served is in `registry/custom/`; which names are free is decided in `crdnames.ts`.
 */
import { isDeepStrictEqual } from 'node:util';
import { isReason } from '../../src/api/errors.js';
import { customResourceDefinitions, type ResourceType } from '../../src/api/kinds.js';
import { findCondition, isConditionTrue, withCondition } from '../../src/api/meta.js';
import type {
  CustomResourceDefinition,
  CustomResourceDefinitionNames,
  CustomResourceDefinitionStatus,
} from '../../src/api/types.js';
import { type Controller, createController, on } from '../../src/client/controller.js';
import { ifFound } from '../../src/client/found.js';
import type { ReconcileResult } from '../../src/client/reconciler.js';
import { toTime } from '../../src/host/clock.js';
import type { CustomKinds } from '../registry/custom/serving.js';
import { cleanupFinalizer } from '../registry/kinds/customresourcedefinition.js';
import type { ControllerContext } from './context.js';
import { acceptNames, statusWith, takenNames } from './crdnames.js';

/** How soon to look again at instances that wait for finalizers of others. */
const recheckMs = 1_000;

export function createDefinitionController(
  { client, clock, log, informers }: ControllerContext,
  kinds: CustomKinds,
): Controller {
  const cache = informers.get(customResourceDefinitions);
  /** Names given in writes of ours that the cache may not show yet. */
  const given = new Map<string, { group: string; names: CustomResourceDefinitionNames }>();

  async function reconcile(key: string): Promise<ReconcileResult> {
    const definition = cache.getByKey(key);
    if (!definition) {
      given.delete(key);
      kinds.withdraw(key);
      return undefined;
    }
    if (definition.metadata.deletionTimestamp) return terminate(definition);
    const naming = acceptNames(definition, takenNames(othersOf(definition)));
    const status = statusWith(definition, naming, clock.now());
    given.set(key, { group: definition.spec.group, names: naming.acceptedNames });
    if (isConditionTrue(status.conditions, 'Established')) kinds.serve({ ...definition, status });
    await writeStatus(definition, status);
    return undefined;
  }

  function othersOf({ metadata, spec }: CustomResourceDefinition): CustomResourceDefinitionNames[] {
    const names = new Map<string, CustomResourceDefinitionNames | undefined>();
    for (const other of cache.list())
      if (other.spec.group === spec.group) names.set(other.metadata.name ?? '', other.status?.acceptedNames);
    for (const [name, taken] of given) if (taken.group === spec.group) names.set(name, taken.names);
    names.delete(metadata.name ?? '');
    return [...names.values()].filter((taken) => taken !== undefined);
  }

  async function writeStatus(
    definition: CustomResourceDefinition,
    status: CustomResourceDefinitionStatus,
  ): Promise<void> {
    if (isDeepStrictEqual(plain(definition.status), plain(status))) return;
    await client.update(customResourceDefinitions, { ...definition, status }, { subresource: 'status' });
  }

  async function terminate(definition: CustomResourceDefinition): Promise<ReconcileResult> {
    const { metadata, status } = definition;
    // The cache has its names for as long as it is there, and whoever waits for them is woken when it goes.
    given.delete(metadata.name ?? '');
    if (!metadata.finalizers?.includes(cleanupFinalizer)) return undefined;
    const say = (
      value: 'True' | 'False',
      reason: string,
      message: string,
    ): CustomResourceDefinitionStatus => ({
      ...status,
      acceptedNames: status?.acceptedNames ?? { plural: '', kind: '' },
      storedVersions: status?.storedVersions ?? [],
      conditions: withCondition(status?.conditions, {
        ...{ type: 'Terminating', status: value, reason, message, lastTransitionTime: toTime(clock.now()) },
      }),
    });
    if (!isConditionTrue(status?.conditions, 'Established')) return letGo(definition);
    kinds.serve(definition);
    const type = kinds.typeOf(metadata.name ?? '');
    if (findCondition(status?.conditions, 'Terminating')?.reason === 'InstanceDeletionPending') {
      const text = 'CustomResource deletion is in progress';
      // The change brings us back.
      await writeStatus(definition, say('True', 'InstanceDeletionInProgress', text));
      return undefined;
    }
    if (type && !(await isEmptied(type))) return { requeueAfterMs: recheckMs };
    return letGo(definition);
  }

  /** Asks all instances to go; true when none is left. */
  async function isEmptied(type: ResourceType): Promise<boolean> {
    try {
      await client.deleteCollection(type, {}, {});
      return (await client.list(type, { limit: 1 })).items.length === 0;
    } catch (error) {
      if (isReason(error, 'NotFound')) return true;
      throw error;
    }
  }

  async function letGo({ metadata }: CustomResourceDefinition): Promise<undefined> {
    const { name = '', uid, resourceVersion } = metadata;
    const kept = (metadata.finalizers ?? []).filter((finalizer) => finalizer !== cleanupFinalizer);
    const body = { metadata: { uid, resourceVersion, finalizers: kept.length > 0 ? kept : null } };
    await ifFound(client.patch(customResourceDefinitions, { name }, { type: 'merge', body }));
    return undefined;
  }

  return createController({
    name: 'customresourcedefinition',
    reconciler: { reconcile },
    sources: [
      on(cache, ({ key, old, current }) => {
        const { spec } = current ?? old ?? {};
        // Names that became free, or that somebody waits for.
        const waiting = cache
          .list()
          .filter((other) => other.spec.group === spec?.group && !isNamed(other))
          .map(({ metadata }) => metadata.name ?? '');
        return [key, ...waiting];
      }),
    ],
    clock,
    log,
  });
}

const isNamed = ({ status }: CustomResourceDefinition): boolean =>
  isConditionTrue(status?.conditions, 'NamesAccepted');

/** Without undefined members, which are no difference. */
const plain = (value: unknown): unknown =>
  value === undefined ? undefined : JSON.parse(JSON.stringify(value));
