/** A master that is killed between charges and writes: after its next start, what is used is what is there. */
import t from 'tap';
import { configMaps, pods, type ResourceType } from '../../../../src/api/kinds.js';
import type { Client } from '../../../../src/client/client.js';
import {
  createMasterProcess,
  eventually,
  mapOf,
  namesOf,
  podOf,
  prepare,
  tryCreate,
  usedOf,
} from './testing.js';

const creators = 64;
/** One ConfigMap is in every namespace from the start. */
const mapLimit = 38;
const maps = configMaps as ResourceType;

const countOf = async (client: Client, type: ResourceType, namespace: string): Promise<number> =>
  (await client.list(type, { namespace })).items.length;

void t.test('kill -9 in between: what is used is what is there', async (t) => {
  const master = await createMasterProcess(t);
  const namespace = 'killed';
  let client = await master.start();
  await prepare(client, namespace, { 'count/configmaps': String(mapLimit), pods: '50' });
  const interrupted = Promise.allSettled(
    namesOf(creators).flatMap((name) => [
      tryCreate(client, maps, mapOf(namespace, name)),
      tryCreate(client, pods, podOf(namespace, name)),
    ]),
  );
  await eventually(async () => (await countOf(client, maps, namespace)) > 4);
  await master.kill();
  await interrupted;
  client = await master.start();
  await eventually(async () => {
    const used = await usedOf(client, namespace);
    const [mapCount, podCount] = await Promise.all(
      [maps, pods as ResourceType].map((type) => countOf(client, type, namespace)),
    );
    return used['count/configmaps'] === String(mapCount) && used['pods'] === String(podCount);
  });
  const more = namesOf(creators).map((name) => tryCreate(client, maps, mapOf(namespace, `more-${name}`)));
  await Promise.all(more);
  t.equal(await countOf(client, maps, namespace), mapLimit, 'and the rest is there to be had');
});
