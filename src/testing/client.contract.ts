/**
 * What every `Client` must do, whatever carries it. Run on the fake, on `RestClient` against the fake, and on the
 * in-process client of the master. The harness gives a fresh, empty API with a namespace `default` for each test.
 */
import type { Test } from 'tap';
import { ApiError, isReason, type Reason } from '../api/errors.js';
import { configMaps, deployments, pods } from '../api/kinds.js';
import type { ConfigMap } from '../api/types.js';
import type { Client, ObjectEvent } from '../client/client.js';
import { deployment, pod } from './builders.js';

export interface ClientHarness {
  client: Client;
  close(): Promise<void>;
}

const configMap = (name: string, labels: Record<string, string> = {}): ConfigMap => ({
  metadata: { namespace: 'default', name, labels },
  data: { a: '1' },
});
const refTo = (name: string) => ({ namespace: 'default', name });

async function refused(t: Test, what: Promise<unknown>, reason: Reason, message?: RegExp): Promise<void> {
  try {
    await what;
    t.fail(`expected ${reason}`);
  } catch (error) {
    t.ok(isReason(error, reason), `${reason}: ${String(error)}`);
    if (message) t.match((error as Error).message, message);
  }
}

async function take<T>(stream: AsyncIterable<ObjectEvent<T>>, count: number): Promise<ObjectEvent<T>[]> {
  const events: ObjectEvent<T>[] = [];
  for await (const event of stream) {
    events.push(event);
    if (events.length === count) break;
  }
  return events;
}

export function clientContract(t: Test, open: () => Promise<ClientHarness>): void {
  const check = (name: string, body: (t: Test, client: Client) => Promise<void>): void => {
    void t.test(name, async (t) => {
      const harness = await open();
      t.teardown(() => harness.close());
      await body(t, harness.client);
    });
  };

  check('create gives identity and version, get answers the same', async (t, client) => {
    const made = await client.create(configMaps, configMap('a'));
    t.ok(made.metadata.uid && made.metadata.resourceVersion && made.metadata.creationTimestamp);
    t.equal(made.kind, 'ConfigMap');
    t.equal(made.apiVersion, 'v1');
    t.same(await client.get(configMaps, refTo('a')), made);
    await refused(
      t,
      client.create(configMaps, configMap('a')),
      'AlreadyExists',
      /configmaps "a" already exists/,
    );
    await refused(t, client.get(configMaps, refTo('b')), 'NotFound', /configmaps "b" not found/);
  });

  check('generateName makes a name', async (t, client) => {
    const made = await client.create(configMaps, { metadata: { namespace: 'default', generateName: 'a-' } });
    t.match(made.metadata.name, /^a-.{5}$/);
  });

  check('update with a stale version is a conflict, without a version it is not', async (t, client) => {
    const first = await client.create(configMaps, configMap('a'));
    const second = await client.update(configMaps, { ...first, data: { a: '2' } });
    t.not(second.metadata.resourceVersion, first.metadata.resourceVersion);
    await refused(
      t,
      client.update(configMaps, { ...first, data: { a: '3' } }),
      'Conflict',
      /object has been modified/,
    );
    const third = await client.update(configMaps, { ...configMap('a'), data: { a: '4' } });
    t.equal(third.data?.['a'], '4');
    t.equal(third.metadata.uid, first.metadata.uid);
    await refused(t, client.update(configMaps, configMap('b')), 'NotFound');
  });

  check('generation counts changes of spec; status is written by its subresource only', async (t, client) => {
    const made = await client.create(deployments, deployment('web', { replicas: 1 }));
    t.equal(made.metadata.generation, 1);
    const scaled = await client.patch(deployments, refTo('web'), {
      type: 'merge',
      body: { spec: { replicas: 3 } },
    });
    t.equal(scaled.metadata.generation, 2);
    const status = { observedGeneration: 2, replicas: 3 };
    const spec = { ...made.spec, replicas: 9 } as NonNullable<typeof made.spec>;
    const reported = await client.update(deployments, { ...scaled, spec, status }, { subresource: 'status' });
    t.match(reported.status, status);
    t.equal(reported.spec?.replicas, 3);
    t.equal(reported.metadata.generation, 2);
    const kept = await client.update(deployments, { ...reported, status: { replicas: 7 } });
    t.equal(kept.status?.replicas, 3);
  });

  check('merge patch removes by null, JSON patch tests before it changes', async (t, client) => {
    await client.create(configMaps, configMap('a', { one: '1', two: '2' }));
    const body = { metadata: { labels: { one: null } }, data: { b: '2' } };
    const merged = await client.patch(configMaps, refTo('a'), { type: 'merge', body });
    t.same(merged.metadata.labels, { two: '2' });
    t.same(merged.data, { a: '1', b: '2' });
    const operations = [{ op: 'replace', path: '/data/a', value: '9' }];
    const replaced = await client.patch(configMaps, refTo('a'), { type: 'json', body: operations });
    t.equal(replaced.data?.['a'], '9');
    const stale = { metadata: { resourceVersion: merged.metadata.resourceVersion }, data: { a: '0' } };
    await refused(t, client.patch(configMaps, refTo('a'), { type: 'merge', body: stale }), 'Conflict');
  });

  check('a dry run changes nothing', async (t, client) => {
    await client.create(configMaps, configMap('a'), { dryRun: true });
    await refused(t, client.get(configMaps, refTo('a')), 'NotFound');
    await client.create(configMaps, configMap('a'));
    await client.delete(configMaps, refTo('a'), { dryRun: true });
    t.ok(await client.get(configMaps, refTo('a')));
  });

  check('delete honours preconditions and finalizers', async (t, client) => {
    const made = await client.create(configMaps, {
      ...configMap('a'),
      metadata: { ...refTo('a'), finalizers: ['example.com/wait'] },
    });
    await refused(t, client.delete(configMaps, refTo('a'), { preconditions: { uid: 'other' } }), 'Conflict');
    await client.delete(configMaps, refTo('a'), { preconditions: { uid: made.metadata.uid ?? '' } });
    t.ok((await client.get(configMaps, refTo('a'))).metadata.deletionTimestamp);
    await client.patch(configMaps, refTo('a'), { type: 'merge', body: { metadata: { finalizers: null } } });
    await refused(t, client.get(configMaps, refTo('a')), 'NotFound');
  });

  check('propagation policies become finalizers', async (t, client) => {
    await client.create(deployments, deployment('a'));
    await client.delete(deployments, refTo('a'), { propagationPolicy: 'Foreground' });
    t.strictSame((await client.get(deployments, refTo('a'))).metadata.finalizers, ['foregroundDeletion']);
    await client.create(deployments, deployment('b'));
    await client.delete(deployments, refTo('b'), { propagationPolicy: 'Orphan' });
    t.strictSame((await client.get(deployments, refTo('b'))).metadata.finalizers, ['orphan']);
    await client.create(deployments, deployment('c'));
    await client.delete(deployments, refTo('c'), { propagationPolicy: 'Background' });
    await refused(t, client.get(deployments, refTo('c')), 'NotFound');
  });

  check('a pod on a node is deleted gracefully, one without at once', async (t, client) => {
    await client.create(pods, pod('a'));
    await client.post(pods, refTo('a'), 'binding', {
      apiVersion: 'v1',
      kind: 'Binding',
      metadata: { name: 'a', namespace: 'default' },
      target: { apiVersion: 'v1', kind: 'Node', name: 'node-1' },
    });
    t.equal((await client.get(pods, refTo('a'))).spec?.nodeName, 'node-1');
    await client.delete(pods, refTo('a'), { gracePeriodSeconds: 5 });
    t.equal((await client.get(pods, refTo('a'))).metadata.deletionGracePeriodSeconds, 5);
    await client.delete(pods, refTo('a'), { gracePeriodSeconds: 0 });
    await refused(t, client.get(pods, refTo('a')), 'NotFound');
    await client.create(pods, pod('b'));
    await client.delete(pods, refTo('b'));
    await refused(t, client.get(pods, refTo('b')), 'NotFound');
  });

  check('list selects by namespace, labels and fields, and pages', async (t, client) => {
    for (const [name, app] of [
      ['a', 'x'],
      ['b', 'y'],
      ['c', 'x'],
    ] as const) {
      await client.create(configMaps, configMap(name, { app }));
    }
    const names = async (options: Parameters<Client['list']>[1]): Promise<(string | undefined)[]> =>
      (await client.list(configMaps, options)).items.map((item) => item.metadata.name);
    const inDefault = { namespace: 'default' };
    t.strictSame(await names({ ...inDefault, labelSelector: 'app=x' }), ['a', 'c']);
    t.strictSame(await names({ ...inDefault, labelSelector: 'app in (y)' }), ['b']);
    t.strictSame(await names({ ...inDefault, fieldSelector: 'metadata.name=b' }), ['b']);
    t.strictSame(await names({ namespace: 'elsewhere' }), []);
    const first = await client.list(configMaps, { ...inDefault, labelSelector: 'app', limit: 2 });
    t.equal(first.items.length, 2);
    const rest = await client.list(configMaps, {
      ...inDefault,
      labelSelector: 'app',
      limit: 2,
      continue: first.metadata.continue ?? '',
    });
    t.strictSame(
      [...first.items, ...rest.items].map((item) => item.metadata.name),
      ['a', 'b', 'c'],
    );
    await client.deleteCollection(configMaps, { ...inDefault, labelSelector: 'app=x' });
    t.strictSame(await names({ ...inDefault, labelSelector: 'app' }), ['b']);
  });

  check('watch tells every change after a version, in order', async (t, client) => {
    await client.create(configMaps, configMap('a'));
    const { metadata } = await client.list(configMaps, { namespace: 'default' });
    await client.create(configMaps, configMap('b'));
    const stop = new AbortController();
    const watch = client.watch(configMaps, {
      namespace: 'default',
      resourceVersion: metadata.resourceVersion ?? '',
      signal: stop.signal,
    });
    const seen = take(watch, 4);
    await client.patch(configMaps, refTo('a'), { type: 'merge', body: { data: { a: '2' } } });
    await client.delete(configMaps, refTo('a'));
    await client.create(configMaps, configMap('c'));
    const events = await seen;
    t.strictSame(
      events.map((event) => `${event.type} ${event.object.metadata.name}`),
      ['ADDED b', 'MODIFIED a', 'DELETED a', 'ADDED c'],
    );
    const versions = events.map((event) => Number(event.object.metadata.resourceVersion));
    t.strictSame(
      versions,
      versions.toSorted((a, b) => a - b),
    );
    stop.abort();
  });

  check('watch with a selector turns what leaves it into a deletion', async (t, client) => {
    const made = await client.create(configMaps, configMap('a', { app: 'x' }));
    const watch = client.watch(configMaps, {
      namespace: 'default',
      labelSelector: 'app=x',
      resourceVersion: made.metadata.resourceVersion ?? '',
    });
    const seen = take(watch, 3);
    const label = (app: string) =>
      client.patch(configMaps, refTo('a'), { type: 'merge', body: { metadata: { labels: { app } } } });
    await label('y');
    await label('x');
    await client.patch(configMaps, refTo('a'), { type: 'merge', body: { data: { a: '2' } } });
    t.strictSame(
      (await seen).map((event) => event.type),
      ['DELETED', 'ADDED', 'MODIFIED'],
    );
  });

  check('an aborted watch ends without an error', async (t, client) => {
    const stop = new AbortController();
    const { metadata } = await client.list(configMaps);
    const seen = take(
      client.watch(configMaps, { resourceVersion: metadata.resourceVersion ?? '', signal: stop.signal }),
      1,
    );
    setImmediate(() => stop.abort());
    t.strictSame(await seen, []);
  });

  check('errors are ApiErrors with details', async (t, client) => {
    const error: unknown = await client.get(deployments, refTo('x')).catch((caught: unknown) => caught);
    t.type(error, ApiError);
    t.match(error, { code: 404, details: { name: 'x', kind: 'deployments', group: 'apps' } });
  });
}
