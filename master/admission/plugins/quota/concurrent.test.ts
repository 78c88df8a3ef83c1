/**
 * Quotas and limits under 64 creators at a time, through a whole master over HTTPS: never exceeded, never stuck, and what
 * is said to be used is what is there.
 */
import t from 'tap';
import { isReason } from '../../../../src/api/errors.js';
import {
  configMaps,
  customResourceDefinitions,
  limitRanges,
  namespaces,
  pods,
  type ResourceType,
  resourceQuotas,
  resourceType,
} from '../../../../src/api/kinds.js';
import type { KubeObject } from '../../../../src/api/types.js';
import type { Client } from '../../../../src/client/client.js';
import { eventually, mapOf, namesOf, podOf, prepare, startMaster, tryCreate, usedOf } from './testing.js';

const creators = 64;
const limit = 37;
/** One ConfigMap is in every namespace from the start. */
const mapLimit = limit + 1;
const maps = configMaps as ResourceType;

const countOf = async (client: Client, type: ResourceType, namespace: string): Promise<number> =>
  (await client.list(type, { namespace })).items.length;

void t.test('64 creators get what there is and no more', async (t) => {
  const client = await startMaster(t);
  const kinds: [ResourceType, (namespace: string, name: string) => KubeObject, Record<string, string>][] = [
    [pods as ResourceType, podOf, { pods: String(limit), 'requests.cpu': '100' }],
    [maps, mapOf, { 'count/configmaps': String(mapLimit) }],
  ];
  for (const [type, make, hard] of kinds) {
    const namespace = type.resource;
    await prepare(client, namespace, hard);
    const startedMs = performance.now();
    const made = await Promise.all(
      namesOf(creators).map((name) => tryCreate(client, type, make(namespace, name))),
    );
    const elapsedMs = performance.now() - startedMs;
    t.equal(made.filter(Boolean).length, limit, `${namespace} made`);
    t.ok(elapsedMs < 20_000, `in ${elapsedMs.toFixed(0)} ms`);
    const counted = Object.keys(hard)[0] ?? '';
    t.equal((await usedOf(client, namespace))[counted], hard[counted], 'all of it is used');
  }
  t.equal((await usedOf(client, 'pods'))['requests.cpu'], '3700m');
});

void t.test('with deletions between, room comes back and no more than that', async (t) => {
  const client = await startMaster(t);
  const namespace = 'churn';
  await prepare(client, namespace, { 'count/configmaps': String(mapLimit) });
  let made = 0;
  let most = 0;
  const churn = async (name: string): Promise<void> => {
    for (let round = 0; round < 3; round += 1) {
      if (!(await tryCreate(client, maps, mapOf(namespace, `${name}-${round}`)))) continue;
      made += 1;
      most = Math.max(most, await countOf(client, maps, namespace));
      await client.delete(maps, { namespace, name: `${name}-${round}` });
    }
  };
  await Promise.all(namesOf(creators).map(churn));
  t.ok(made >= limit, `${made} made in all`);
  t.ok(most <= mapLimit, `at most ${most} at a time`);
  await eventually(async () => (await usedOf(client, namespace))['count/configmaps'] === '1');
  const after = await Promise.all(
    namesOf(creators).map((name) => tryCreate(client, maps, mapOf(namespace, name))),
  );
  t.equal(after.filter(Boolean).length, limit, 'then all of it is there again');
  await client.delete(maps, {
    namespace,
    name: namesOf(creators).find((_, index) => after[index]) ?? '',
  });
  const startedMs = performance.now();
  await eventually(
    async () => (await usedOf(client, namespace))['count/configmaps'] === String(mapLimit - 1),
  );
  t.ok(performance.now() - startedMs < 60_000, 'one deletion shows long before the next recount of all');
});

void t.test('a write that fails after it was charged costs nothing', async (t) => {
  const client = await startMaster(t);
  const namespace = 'same-name';
  await prepare(client, namespace, { 'count/configmaps': '3' });
  const outcomes = await Promise.allSettled(
    namesOf(creators).map(() => tryCreate(client, maps, mapOf(namespace, 'one'))),
  );
  const made = outcomes.filter((outcome) => outcome.status === 'fulfilled' && outcome.value);
  t.equal(made.length, 1);
  const failed = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []));
  t.ok(failed.every((error) => isReason(error, 'AlreadyExists')));
  await eventually(async () => (await usedOf(client, namespace))['count/configmaps'] === '2');
  t.ok(await tryCreate(client, maps, mapOf(namespace, 'another')));
  t.notOk(await tryCreate(client, maps, mapOf(namespace, 'too-many')));
  await t.rejects(client.create(maps, mapOf(namespace, 'dry'), { dryRun: true }), /exceeded quota/);
});

void t.test('a new quota counts those who are just writing', async (t) => {
  const client = await startMaster(t);
  const namespace = 'late';
  await client.create(namespaces, { metadata: { name: namespace } });
  const writing = namesOf(200).map((name) => tryCreate(client, maps, mapOf(namespace, name)));
  await prepare(client, 'other', { pods: '1' });
  await client.create(resourceQuotas, {
    metadata: { namespace, name: 'q' },
    spec: { hard: { 'count/configmaps': '100' } },
  });
  await Promise.all(writing);
  const count = await countOf(client, maps, namespace);
  await eventually(async () => (await usedOf(client, namespace))['count/configmaps'] === String(count));
  t.equal(await tryCreate(client, maps, mapOf(namespace, 'one-more')), count < 100);
});

void t.test('limits hold for the next request, also under 64 creators', async (t) => {
  const client = await startMaster(t);
  const namespace = 'limited';
  await client.create(namespaces, { metadata: { name: namespace } });
  await eventually(async () => (await countOf(client, maps, namespace)) > 0);
  await client.create(limitRanges, {
    metadata: { namespace, name: 'limits' },
    spec: { limits: [{ type: 'Container', max: { cpu: '500m' }, default: { memory: '64Mi' } }] },
  });
  const outcomes = await Promise.allSettled(
    namesOf(creators).map((name, index) => {
      const resources = { limits: { cpu: index % 2 === 0 ? '500m' : '501m' } };
      return client.create(pods, {
        metadata: { namespace, name },
        spec: { containers: [{ name: 'c', image: 'x', resources }] },
      });
    }),
  );
  for (const [index, outcome] of outcomes.entries()) {
    if (index % 2 === 1) {
      t.match(outcome, {
        status: 'rejected',
        reason: {
          reason: 'Forbidden',
          message: `pods "o-${index}" is forbidden: maximum cpu usage per Container is 500m, but limit is 501m`,
        },
      });
    } else {
      const wanted = { limits: { cpu: '500m', memory: '64Mi' }, requests: { cpu: '500m', memory: '64Mi' } };
      t.match(outcome, { status: 'fulfilled', value: { spec: { containers: [{ resources: wanted }] } } });
    }
  }
});

void t.test('custom kinds count as soon as they are served', async (t) => {
  const client = await startMaster(t);
  const namespace = 'custom';
  const name = 'count/boats.example.com';
  await client.create(customResourceDefinitions, {
    metadata: { name: 'boats.example.com' },
    spec: {
      group: 'example.com',
      scope: 'Namespaced',
      names: { plural: 'boats', singular: 'boat', kind: 'Boat' },
      versions: [
        {
          name: 'v1',
          served: true,
          storage: true,
          schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
        },
      ],
    },
  });
  await prepare(client, namespace, { [name]: '2', pods: '1' });
  const boats = resourceType('example.com/v1', 'boats', 'Boat', true);
  await eventually(async () => (await usedOf(client, namespace))[name] === '0');
  const made = await Promise.all(
    namesOf(creators).map((one) => tryCreate(client, boats, mapOf(namespace, one))),
  );
  t.equal(made.filter(Boolean).length, 2);
  const { items } = await client.list(boats, { namespace });
  await client.delete(boats, { namespace, name: items[0]?.metadata.name ?? '' });
  await eventually(async () => (await usedOf(client, namespace))[name] === '1');
  t.ok(await tryCreate(client, boats, mapOf(namespace, 'again')));
});
