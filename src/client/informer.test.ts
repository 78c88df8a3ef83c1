import fc from 'fast-check';
import t from 'tap';
import { ApiError } from '../api/errors.js';
import { configMaps, pods } from '../api/kinds.js';
import { keyOf } from '../api/meta.js';
import type { ConfigMap } from '../api/types.js';
import { silentLogger } from '../host/log.js';
import { pod } from '../testing/builders.js';
import { createFakeClock, settled } from '../testing/clock.js';
import { createFakeClient } from '../testing/fakeclient.js';
import type { Change } from './cache.js';
import { createInformer } from './informer.js';
import { createInformers } from './informers.js';

const configMap = (name: string, data: Record<string, string> = {}): ConfigMap => ({
  metadata: { namespace: 'default', name },
  data,
});
const live = (): AbortSignal => new AbortController().signal;
const describe = (change: Change<ConfigMap>): string =>
  `${change.old ? (change.current ? '~' : '-') : '+'}${change.key}`;

function setup() {
  const clock = createFakeClock();
  const client = createFakeClient({ clock });
  const informer = createInformer({ client, type: configMaps, clock, log: silentLogger });
  const changes: string[] = [];
  informer.onChange((change) => changes.push(describe(change)));
  return { clock, client, informer, changes };
}

void t.test('lists, follows, and keeps its cache as the server is', async (t) => {
  const { client, informer, changes } = setup();
  client.seed(configMaps, configMap('a'));
  t.notOk(informer.hasSynced());
  await informer.start(live());
  await informer.whenSynced(live());
  t.ok(informer.hasSynced());
  await client.create(configMaps, configMap('b'));
  await client.patch(
    configMaps,
    { namespace: 'default', name: 'a' },
    { type: 'merge', body: { data: { x: '1' } } },
  );
  await client.delete(configMaps, { namespace: 'default', name: 'b' });
  await settled();
  t.strictSame(changes, ['+default/a', '+default/b', '~default/a', '-default/b']);
  t.equal(informer.get({ namespace: 'default', name: 'a' })?.data?.['x'], '1');
  t.ok(Object.isFrozen(informer.getByKey('default/a')?.data), 'frozen in tests');
  const late: string[] = [];
  informer.onChange((change) => late.push(describe(change)));
  t.strictSame(late, ['+default/a'], 'a late handler gets the present first');
  await informer.stop();
  t.equal(client.watchers, 0);
});

void t.test('after a broken watch nothing is missing and nothing comes twice', async (t) => {
  const { clock, client, informer, changes } = setup();
  await informer.start(live());
  await settled();
  await client.create(configMaps, configMap('a'));
  await settled();
  client.dropWatches(new ApiError('ServiceUnavailable', 'cut'));
  await client.create(configMaps, configMap('b'));
  await client.delete(configMaps, { namespace: 'default', name: 'a' });
  await clock.advance(60_000);
  t.strictSame(changes, ['+default/a', '+default/b', '-default/a']);
  await informer.stop();
});

void t.test('410 lists again and tells the difference only', async (t) => {
  const { clock, client, informer, changes } = setup();
  for (const name of ['a', 'b', 'c']) client.seed(configMaps, configMap(name));
  await informer.start(live());
  await settled();
  changes.length = 0;
  client.failNext((call) => call.verb === 'watch', new ApiError('ServiceUnavailable', 'away'), 2);
  client.dropWatches();
  await client.delete(configMaps, { namespace: 'default', name: 'a' });
  await client.patch(
    configMaps,
    { namespace: 'default', name: 'b' },
    { type: 'merge', body: { data: { x: '1' } } },
  );
  await client.create(configMaps, configMap('d'));
  client.compact();
  await clock.advance(60_000);
  t.strictSame(changes.toSorted(), ['+default/d', '-default/a', '~default/b']);
  t.equal(informer.list().length, 3);
  await informer.stop();
});

void t.test('bookmarks move the version on, so quiet kinds need no relist', async (t) => {
  const { clock, client, informer } = setup();
  await informer.start(live());
  await settled();
  client.seed(pods, pod('elsewhere'));
  client.bookmark();
  client.compact();
  await settled();
  let lists = 0;
  const { list } = client;
  client.list = (...args) => {
    lists += 1;
    return list(...args);
  };
  client.dropWatches();
  await clock.advance(60_000);
  t.equal(lists, 0);
  t.ok(informer.healthy().ok);
  await informer.stop();
});

void t.test('a handler that throws disturbs nobody', async (t) => {
  const clock = createFakeClock();
  const client = createFakeClient({ clock });
  const errors: object[] = [];
  const log = {
    ...silentLogger,
    child: () => ({ ...silentLogger, error: (fields: object) => errors.push(fields) }),
  };
  const informer = createInformer({ client, type: configMaps, clock, log });
  const seen: string[] = [];
  informer.onChange(() => {
    throw new Error('broken handler');
  });
  informer.onChange((change) => seen.push(change.key));
  await informer.start(live());
  await settled();
  await client.create(configMaps, configMap('a'));
  await client.create(configMaps, configMap('b'));
  await settled();
  t.strictSame(seen, ['default/a', 'default/b']);
  t.equal(errors.length, 2);
  await informer.stop();
});

void t.test('indexes follow the objects', async (t) => {
  const clock = createFakeClock();
  const client = createFakeClient({ clock });
  const informers = createInformers({ client, clock, log: silentLogger });
  const informer = informers.get(pods, { indexers: { node: (p) => [p.spec?.nodeName ?? ''] } });
  t.equal(informers.get(pods), informer, 'shared');
  t.not(informers.get(pods, { namespace: 'default' }), informer);
  await informers.start(live());
  client.seed(pods, pod('a'));
  client.seed(pods, pod('b', { node: 'n1' }));
  await settled();
  await client.post(pods, { namespace: 'default', name: 'a' }, 'binding', { target: { name: 'n1' } });
  await settled();
  t.strictSame(informer.byIndex('node', 'n1').map(keyOf).toSorted(), ['default/a', 'default/b']);
  t.strictSame(informer.byIndex('node', ''), []);
  t.equal(informer.list('default').length, 2);
  t.equal(informer.list('other').length, 0);
  t.throws(() => informer.byIndex('nothing', ''), /no index/);
  await informers.stop();
});

type Step = { do: 'put' | 'remove'; name: string } | { do: 'drop' | 'break' | 'compact' | 'wait' };
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constantFrom('put' as const, 'remove' as const), name: fc.constantFrom('a', 'b', 'c') }),
  fc.record({ do: fc.constantFrom('drop' as const, 'break' as const, 'compact' as const, 'wait' as const) }),
);

void t.test('whatever breaks in between, the told changes add up to what the server has', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const { clock, client, informer } = setup();
      const told = new Map<string, string | undefined>();
      informer.onChange(({ key, old, current }) => {
        if (told.get(key) !== old?.metadata.resourceVersion)
          throw new Error(`${key}: old is not what was told last`);
        if (current) told.set(key, current.metadata.resourceVersion);
        else told.delete(key);
      });
      await informer.start(live());
      let count = 0;
      for (const s of steps) {
        const ref = 'name' in s ? { namespace: 'default', name: s.name } : undefined;
        if (s.do === 'put' && ref) {
          const body = { data: { count: String(count++) } };
          const patched = client.patch(configMaps, ref, { type: 'merge', body });
          await patched.catch(() => client.create(configMaps, configMap(ref.name)));
        } else if (s.do === 'remove' && ref) await client.delete(configMaps, ref).catch(() => undefined);
        else if (s.do === 'drop') client.dropWatches();
        else if (s.do === 'break') client.dropWatches(new ApiError('ServiceUnavailable', 'cut'));
        else if (s.do === 'compact') client.compact();
        else await clock.advance(5_000);
      }
      await clock.advance(120_000);
      const { items } = await client.list(configMaps);
      const is = new Map(items.map((item) => [keyOf(item), item.metadata.resourceVersion]));
      await informer.stop();
      const [left, right] = [is, told].map((map) => JSON.stringify([...map].toSorted()));
      if (left !== right) throw new Error(`server ${left}, told ${right}`);
    }),
    { numRuns: 60 },
  );
});
