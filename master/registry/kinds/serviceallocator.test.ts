import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import t, { type Test } from 'tap';
import { isReason } from '../../../src/api/errors.js';
import type { Service, ServiceSpec } from '../../../src/api/types.js';
import { systemClock } from '../../../src/host/clock.js';
import { silentLogger } from '../../../src/host/log.js';
import type { Resource } from '../../resources/resource.js';
import { createResources } from '../../resources/table.js';
import { FileStore } from '../../store/file.js';
import { MemoryStore } from '../../store/memory.js';
import type { Store } from '../../store/store.js';
import { createRegistry, stamp } from '../generic.js';
import { contextOf } from '../testing.js';
import { createServiceAllocator } from './serviceallocator.js';

/** Thirteen addresses besides that of the API, four node ports. */
const ranges = { serviceCidr: '10.96.0.0/28', nodePortRange: { from: 30000, to: 30003 } };
const capacity = { addresses: 13, ports: 4 };
const ports = [{ port: 80 }];
const specs: ServiceSpec[] = [
  { type: 'ClusterIP', ports },
  { type: 'NodePort', ports },
  { type: 'NodePort', ports: [{ port: 80, nodePort: 30001 }] },
  { type: 'ClusterIP', clusterIP: '10.96.0.5', ports },
  { type: 'ExternalName', externalName: 'example.com' },
];
const context = contextOf();

async function openRegistry(store: Store) {
  let uid = 0;
  const registry = createRegistry({
    store,
    clock: systemClock,
    log: silentLogger,
    resources: createResources(),
    newUid: () => `uid-${uid++}`,
    allocators: new Map([['services.', createServiceAllocator(ranges)]]) as never,
  });
  await registry.start(new AbortController().signal);
  const find = (name: string) =>
    registry.resources.rows.find(({ type }) => type.resource === name) as Resource;
  const row = find('services') as unknown as Resource<Service>;
  const all = async () =>
    (await registry.list(row, {}, context)).items.map(({ object }) => object.spec ?? {});
  return { registry, row, namespaces: find('namespaces'), all };
}

const operation = fc.record({
  name: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'),
  verb: fc.constantFrom('create', 'put', 'delete', 'dry'),
  spec: fc.constantFrom(...specs),
});
type Operation = typeof operation extends fc.Arbitrary<infer T> ? T : never;

async function run(
  { registry, row }: Awaited<ReturnType<typeof openRegistry>>,
  { name, verb, spec }: Operation,
) {
  const ref = { namespace: 'default', name };
  const body = { metadata: { name }, spec };
  try {
    if (verb === 'create') await registry.create(row, 'default', body, context);
    else if (verb === 'put') await registry.update(row, ref, body, context);
    else if (verb === 'dry') await registry.update(row, ref, body, contextOf({ dryRun: true }));
    else await registry.delete(row, ref, {}, context);
  } catch (error) {
    if (!isReason(error, 'NotFound', 'AlreadyExists', 'Conflict', 'Invalid')) throw error;
  }
}

/** Whatever happened: nothing is held twice, and what nobody holds can be had, now and after a restart. */
async function check(t: Test, store: Store, plans: readonly (readonly Operation[])[]): Promise<void> {
  const world = await openRegistry(store);
  await world.registry.create(world.namespaces, undefined, { metadata: { name: 'default' } }, context);
  await Promise.all(
    plans.map(async (plan) => {
      for (const one of plan) await run(world, one);
    }),
  );
  for (const open of [async () => world, () => openRegistry(store)]) {
    const { registry, row, all } = await open();
    const held = await all();
    const addresses = held.flatMap(({ clusterIPs = [] }) => clusterIPs);
    const numbers = held.flatMap((spec) => (spec.ports ?? []).flatMap(({ nodePort }) => nodePort ?? []));
    t.equal(new Set(addresses).size, addresses.length, 'no address is held twice');
    t.equal(new Set(numbers).size, numbers.length, 'no node port is held twice');
    const fill = async (spec: ServiceSpec, count: number): Promise<void> => {
      for (let index = 0; index < count; index++)
        await registry.create(row, 'default', { metadata: { generateName: 'fill-' }, spec }, context);
      const one = registry.create(row, 'default', { metadata: { generateName: 'fill-' }, spec }, context);
      await t.rejects(one, { code: 422 }, 'and then there is no more');
    };
    const free = capacity.ports - numbers.length;
    await fill({ type: 'NodePort', ports }, free);
    await fill({ ports }, capacity.addresses - addresses.length - free);
    await registry.deleteCollection(
      row,
      { namespace: 'default', fieldSelector: 'metadata.name!=a' },
      {},
      context,
    );
  }
}

const plans = fc.array(fc.array(operation, { maxLength: 8 }), { minLength: 1, maxLength: 4 });

t.test('numbers are neither shared nor lost, whatever writers do at once', async (t) => {
  await fc.assert(
    fc.asyncProperty(plans, (given) => check(t, new MemoryStore({ stamp }), given)),
    { numRuns: 40, seed: 20260101 },
  );
});

t.test('nor where writes take their time', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'wherry-services-'));
  t.teardown(() => rm(directory, { recursive: true }));
  const [given = []] = fc.sample(
    fc.array(fc.array(operation, { minLength: 8, maxLength: 8 }), { minLength: 4, maxLength: 4 }),
    { numRuns: 1, seed: 7 },
  );
  const store = new FileStore({
    directory: join(directory, 'store'),
    clock: systemClock,
    log: silentLogger,
    stamp,
  });
  await store.start();
  await check(t, store, given);
  await store.stop();
});
