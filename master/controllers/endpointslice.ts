/**
 * 5. Keeps the EndpointSlices of every Service with a selector. Decisions are in `endpointsliceplan.ts`. A pod's change
 * of readiness goes out in the pass that its event starts: there is no batching delay.
 */
import { endpointSlices } from '../../src/api/kinds.js';
import { keyOfRef, refOf } from '../../src/api/meta.js';
import type { EndpointSlice } from '../../src/api/types.js';
import { type Controller, createController, on } from '../../src/client/controller.js';
import { ifFound } from '../../src/client/found.js';
import type { ReconcileResult } from '../../src/client/reconciler.js';
import { type ControllerContext, podInformer } from './context.js';
import { backendsOf, hasBackends } from './endpointmodel.js';
import { managedBy, managedByLabel, plan, serviceNameLabel } from './endpointsliceplan.js';
import { selectedPods, serviceInformer, servicesOfPod } from './servicepods.js';

/** The key of the Service that a slice of ours belongs to; nothing for slices of others. */
const serviceOf = (slice: EndpointSlice): string[] => {
  const { namespace, labels = {} } = slice.metadata;
  const name = labels[serviceNameLabel];
  return name && labels[managedByLabel] === managedBy ? [keyOfRef({ namespace, name })] : [];
};

export function createEndpointSliceController({
  client,
  clock,
  log,
  informers,
}: ControllerContext): Controller {
  const cache = serviceInformer(informers);
  const podCache = podInformer(informers);
  const sliceCache = informers.get(endpointSlices, { indexers: { service: serviceOf } });

  async function reconcile(key: string): Promise<ReconcileResult> {
    const service = cache.getByKey(key);
    const existing = sliceCache.byIndex('service', key);
    if (!service || !hasBackends(service) || service.metadata.deletionTimestamp) {
      // Without its Service a slice is garbage; with a Service that lost its selector it is the user's from now on.
      if (!service) await Promise.all(existing.map(remove));
      return undefined;
    }
    const steps = plan(service, backendsOf(service, selectedPods(service, podCache)), existing);
    await Promise.all([
      ...steps.update.map((slice) => client.update(endpointSlices, slice)),
      ...steps.create.map((slice) => client.create(endpointSlices, slice)),
    ]);
    await Promise.all(steps.delete.map(remove));
    return undefined;
  }

  async function remove(slice: EndpointSlice): Promise<void> {
    await ifFound(
      client.delete(endpointSlices, refOf(slice), { preconditions: { uid: slice.metadata.uid ?? '' } }),
    );
  }

  return createController({
    name: 'endpointslice',
    reconciler: { reconcile },
    sources: [
      on(cache),
      on(podCache, servicesOfPod(cache)),
      on(sliceCache, ({ old, current }) =>
        [old, current].flatMap((slice) => (slice ? serviceOf(slice) : [])),
      ),
    ],
    workers: 8,
    clock,
    log,
  });
}
