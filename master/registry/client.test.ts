import fc from 'fast-check';
import t from 'tap';
import type { ApiError } from '../../src/api/errors.js';
import { configMaps, deployments, pods } from '../../src/api/kinds.js';
import type { ConfigMap } from '../../src/api/types.js';
import type { Client } from '../../src/client/client.js';
import { createFakeClock, settled } from '../../src/testing/clock.js';
import { createRegistryClient } from './client.js';
import { createTestRegistry } from './testing.js';

async function setUp(): Promise<Client> {
  const { registry } = await createTestRegistry({ clock: createFakeClock() });
  return createRegistryClient(registry, { name: 'system:test', groups: [] });
}

const map = (name: string, value = '1'): ConfigMap => ({
  metadata: { namespace: 'default', name, labels: { value } },
  data: { value },
});

t.test('every verb, as over HTTPS', async (t) => {
  const client = await setUp();
  const ref = { namespace: 'default', name: 'a' };
  const created = await client.create(configMaps, map('a'));
  t.match(created, {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { uid: String, resourceVersion: String },
  });
  t.throws(
    () => Object.assign(created.metadata, { name: 'b' }),
    TypeError,
    'objects are shared and read-only',
  );
  t.equal((await client.get(configMaps, ref)).metadata.uid, created.metadata.uid);

  const updated = await client.update(configMaps, { ...created, data: { value: '2' } });
  t.same(updated.data, { value: '2' });
  await t.rejects(client.update(configMaps, { ...created, data: {} }), { name: 'ApiError', code: 409 });
  const patched = await client.patch(configMaps, ref, { type: 'merge', body: { data: { more: 'x' } } });
  t.same(patched.data, { value: '2', more: 'x' });

  await client.create(configMaps, map('b'));
  const page = await client.list(configMaps, { namespace: 'default', limit: 1 });
  t.match(page, {
    apiVersion: 'v1',
    kind: 'ConfigMapList',
    metadata: { continue: String, remainingItemCount: 1 },
  });
  t.equal(page.items.length, 1);

  await client.delete(configMaps, ref, { preconditions: { uid: created.metadata.uid ?? '' } });
  await t.rejects(client.get(configMaps, ref), { message: 'configmaps "a" not found', code: 404 });
  await client.deleteCollection(configMaps, { namespace: 'default' });
  t.same((await client.list(configMaps)).items, []);
});

t.test('options reach the registry', async (t) => {
  const client = await setUp();
  await client.create(configMaps, map('a'), { dryRun: true });
  t.same((await client.list(configMaps)).items, []);
  const stray = { ...map('a'), stray: 1 };
  await t.rejects(client.create(configMaps, stray, { fieldValidation: 'Strict' }), { code: 400 });
  await client.create(configMaps, stray);

  const spec = { containers: [{ name: 'main', image: 'nginx' }] };
  await client.create(pods, { metadata: { namespace: 'default', name: 'p' }, spec });
  const ref = { namespace: 'default', name: 'p' };
  const answer = await client.post(pods, ref, 'binding', {
    metadata: {},
    target: { kind: 'Node', name: 'n' },
  });
  t.match(answer, { kind: 'Status', status: 'Success' });
  const bound = await client.get(pods, ref);
  await client.update(pods, { ...bound, status: { phase: 'Running' } }, { subresource: 'status' });
  t.match(await client.get(pods, ref), { spec: { nodeName: 'n' }, status: { phase: 'Running' } });
  await t.rejects(client.get({ ...deployments, resource: 'nothing' }, ref), { code: 404 });
});

t.test(
  'watch: initial events, a marked bookmark, changes; an abort is its end, a refusal is thrown',
  async (t) => {
    const client = await setUp();
    await client.create(configMaps, map('a'));
    const stop = new AbortController();
    const words: string[] = [];
    const options = {
      sendInitialEvents: true,
      resourceVersionMatch: 'NotOlderThan',
      allowBookmarks: true,
    } as const;
    const reading = (async () => {
      for await (const { type, object } of client.watch(configMaps, { ...options, signal: stop.signal })) {
        words.push(`${type} ${object.metadata.name ?? JSON.stringify(object.metadata.annotations)}`);
        t.equal(object.kind, 'ConfigMap');
      }
    })();
    await settled();
    await client.create(configMaps, map('b'));
    await settled();
    stop.abort();
    await reading;
    t.same(words, ['ADDED a', 'BOOKMARK {"k8s.io/initial-events-end":"true"}', 'ADDED b']);

    const refused = client.watch(configMaps, { resourceVersion: '999' })[Symbol.asyncIterator]();
    await t.rejects(refused.next(), { message: /^Too large resource version: 999/, code: 504 });
  },
);

/** One writer's step; keys are few, so that writers meet. */
const step = fc.record({
  key: fc.constantFrom('a', 'b', 'c'),
  verb: fc.constantFrom('create', 'update', 'patch', 'delete'),
  value: fc.constantFrom('1', '2', '3'),
});

async function run(
  client: Client,
  { key, verb, value }: { key: string; verb: string; value: string },
): Promise<void> {
  const ref = { namespace: 'default', name: key };
  try {
    if (verb === 'create') await client.create(configMaps, map(key, value));
    if (verb === 'update')
      await client.update(configMaps, { ...(await client.get(configMaps, ref)), ...map(key, value) });
    if (verb === 'patch') {
      const body = { metadata: { labels: { value } }, data: { value } };
      await client.patch(configMaps, ref, { type: 'merge', body });
    }
    if (verb === 'delete') await client.delete(configMaps, ref);
  } catch (error) {
    if (![404, 409].includes((error as ApiError).code)) throw error;
  }
}

interface Follower {
  /** What following the events has led to. */
  state: Map<string, string>;
  versions: number[];
  ended: Promise<void>;
}

function follow(
  client: Client,
  resourceVersion: string,
  labelSelector: string,
  signal: AbortSignal,
): Follower {
  const follower: Follower = { state: new Map(), versions: [], ended: Promise.resolve() };
  const selector = labelSelector ? { labelSelector } : {};
  const take = async (): Promise<void> => {
    for await (const { type, object } of client.watch(configMaps, { resourceVersion, ...selector, signal })) {
      const { name = '', resourceVersion: version } = object.metadata;
      if ((type === 'ADDED') === follower.state.has(name)) throw new Error(`${type} ${name} does not fit`);
      if (type === 'DELETED') follower.state.delete(name);
      else follower.state.set(name, JSON.stringify(object));
      follower.versions.push(Number(version));
    }
  };
  follower.ended = take();
  return follower;
}

t.test(
  'whoever writes, every watcher sees each change once, in order, and ends where the list is',
  async () => {
    const writers = fc.array(fc.array(step, { minLength: 1, maxLength: 8 }), { minLength: 1, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(
        writers,
        fc.nat(20),
        fc.constantFrom('', 'value=1', 'value!=2'),
        async (all, delay, selector) => {
          const client = await setUp();
          const stop = new AbortController();
          const from = (await client.list(configMaps)).metadata.resourceVersion ?? '';
          const followers = [follow(client, from, selector, stop.signal)];
          const late = (async () => {
            for (let turn = 0; turn < delay; turn++) await Promise.resolve();
            followers.push(follow(client, from, selector, stop.signal));
          })();
          await Promise.all([
            late,
            ...all.map(async (steps) => {
              for (const one of steps) await run(client, one);
            }),
          ]);
          await settled();
          stop.abort();
          await Promise.all(followers.map((one) => one.ended));
          const { items } = await client.list(configMaps, selector ? { labelSelector: selector } : {});
          const expected = new Map(items.map((item) => [item.metadata.name, JSON.stringify(item)]));
          const [first, second] = followers;
          return (
            followers.every(
              ({ state, versions }) =>
                state.size === expected.size &&
                [...expected].every(([name, object]) => state.get(name ?? '') === object) &&
                versions.every((version, index) => index === 0 || version > (versions[index - 1] ?? 0)),
            ) && JSON.stringify(first?.versions) === JSON.stringify(second?.versions)
          );
        },
      ),
      { numRuns: 60 },
    );
  },
);
