/** The decisions about volumes: paths, modes, sizes, sub-paths; and tokens over time. */
import t from 'tap';
import type { Pod, PodSpec } from '../../src/api/types.js';
import { pod as build } from '../../src/testing/builders.js';
import { createFakeClock } from '../../src/testing/clock.js';
import { createFakeClient } from '../../src/testing/fakeclient.js';
import { subPathOf } from './containermounts.js';
import { hugePageSize, memorySize } from './emptydir.js';
import { noSwap, parseMountInfo } from './mounts.js';
import { mountPointsWithin, volumesInUse } from './nested.js';
import { groupMode } from './ownership.js';
import { dataOfConfigMap, requireSafePath, selectItems } from './payload.js';
import { createServiceAccountTokens } from './tokens.js';

const podOf = (spec: Partial<PodSpec>): Pod => build('web', { meta: { uid: 'u1' }, spec });
const limited = (name: string, limits?: Record<string, string>, restartPolicy?: string) => ({
  name,
  image: 'i',
  ...(limits && { resources: { limits } }),
  ...(restartPolicy && { restartPolicy }),
});

t.test('the files of an object', async (t) => {
  const data = dataOfConfigMap({ metadata: {}, data: { a: 'text' }, binaryData: { b: 'AAE=' } });
  const all = selectItems(data, undefined, { kind: 'configmap', mode: 0o600, isOptional: false });
  t.same([...all.keys()], ['a', 'b']);
  t.same(all.get('b'), { data: Buffer.from([0, 1]), mode: 0o600 });
  const items = [
    { key: 'a', path: 'x//y/./z', mode: 0o400 },
    { key: 'missing', path: 'm' },
  ];
  const some = selectItems(data, items, { kind: 'configmap', mode: 0o600, isOptional: true });
  t.same([...some], [['x/y/z', { data: Buffer.from('text'), mode: 0o400 }]]);
  for (const path of ['a', '.hidden', 'a..b', 'a/..b', 'x'.repeat(255)]) t.equal(requireSafePath(path), path);
});

t.test('modes of a group', async (t) => {
  const file = (mode: number, readOnly: boolean) => groupMode(mode, { isDirectory: false, readOnly });
  const directory = (mode: number, readOnly: boolean) => groupMode(mode, { isDirectory: true, readOnly });
  t.equal(file(0o100400, true), 0o440);
  t.equal(file(0o644, false), 0o664);
  t.equal(directory(0o040755, false), 0o2775);
  t.equal(directory(0o1777, false), 0o3777);
  t.equal(directory(0o700, true), 0o2750);
});

t.test('how large a volume in memory is', async (t) => {
  const node = { memory: '1Gi' };
  const mi = 1024 * 1024;
  const open = podOf({ containers: [limited('a', { memory: '10Mi' }), limited('b')] });
  const closed = podOf({
    containers: [limited('a', { memory: '10Mi' })],
    initContainers: [limited('s', { memory: '20Mi' }, 'Always')],
  });
  t.equal(memorySize(open, undefined, {}), undefined);
  t.equal(memorySize(open, undefined, node), 1024 * mi);
  t.equal(memorySize(closed, undefined, node), 30 * mi);
  t.equal(memorySize(closed, '5Mi', node), 5 * mi);
  t.equal(memorySize(closed, '1Gi', node), 30 * mi);
  t.equal(memorySize(open, '0', node), 1024 * mi);
  t.same(
    ['6.3.9', '6.4.0-1-amd64', '5.10', '7.0'].map((kernel) => noSwap(kernel).length),
    [0, 1, 0, 1],
  );
});

t.test('which huge pages', async (t) => {
  const two = podOf({ containers: [limited('a', { 'hugepages-2Mi': '4Mi' })] });
  const both = podOf({
    containers: [limited('a', { 'hugepages-2Mi': '4Mi' }), limited('b', { 'hugepages-1Gi': '1Gi' })],
  });
  t.equal(hugePageSize(two, 'HugePages'), 2 * 1024 * 1024);
  t.equal(hugePageSize(both, 'HugePages-1Gi'), 1024 ** 3);
  t.throws(() => hugePageSize(both, 'HugePages'), /requests multiple huge page sizes/);
  t.throws(() => hugePageSize(two, 'HugePages-1Gi'), /no resource request for huge pages/);
  t.throws(() => hugePageSize(two, 'Disk'), /unknown storage medium "Disk"/);
});

t.test('sub-path expressions', async (t) => {
  const of = (subPathExpr: string) =>
    subPathOf(
      { name: 'v', mountPath: '/v', subPathExpr },
      new Map([
        ['A', 'x/y'],
        ['EMPTY', ''],
      ]),
    );
  t.equal(of('$(A)/z'), 'x/y/z');
  t.equal(of('$$(A)'), '$(A)');
  t.throws(() => of('$(A)/$(NO)/$(EMPTY)'), { message: 'missing value for EMPTY, NO' });
  t.throws(() => of('/$(A)'), /must not be an absolute path/);
  t.equal(subPathOf({ name: 'v', mountPath: '/v', subPath: '$(A)' }, new Map()), '$(A)');
});

t.test('mounts within mounts, and volumes nobody uses', async (t) => {
  const volumeMounts = [
    { name: 'v', mountPath: '/etc/v/' },
    { name: 'd', mountPath: 'etc/v/a/b' },
    { name: 'd', mountPath: '/etc/v/a/b/c' },
    { name: 'd', mountPath: '/etc/v/../v/e' },
    { name: 'd', mountPath: '/etc/vx' },
    { name: 'v', mountPath: '/etc', subPath: 's' },
  ];
  const volumeDevices = [{ name: 'raw', devicePath: '/dev/x' }];
  const pod = podOf({
    containers: [{ name: 'c', image: 'i', volumeMounts }],
    ephemeralContainers: [{ name: 'e', image: 'i', volumeDevices }],
  });
  t.same(mountPointsWithin(pod, 'v'), ['a/b', 'e']);
  t.same(mountPointsWithin(pod, 'd'), ['c']);
  t.same(volumesInUse(pod), { mounts: new Set(['v', 'd']), devices: new Set(['raw']) });
});

t.test('mount points as the kernel lists them', async (t) => {
  const line = (point: string) => `30 27 0:26 / ${point} rw shared:1 - tmpfs tmpfs rw`;
  t.same(parseMountInfo([line('/a\\040b'), line('/a/gone//deleted'), line('/c')].join('\n')), ['/a b', '/c']);
});

t.test('tokens are renewed in time, survive the API, and leave nothing behind', async (t) => {
  const clock = createFakeClock();
  const client = createFakeClient({ clock });
  let asked = 0;
  let isAway = false;
  client.post = async () => {
    if (isAway) throw new Error('away');
    asked += 1;
    const expirationTimestamp = new Date(clock.now().getTime() + 3_600_000).toISOString();
    return { status: { token: `token-${asked}`, expirationTimestamp } } as never;
  };
  const renewals: string[] = [];
  const tokens = createServiceAccountTokens({ client, clock, onRenewal: (uid) => void renewals.push(uid) });
  const pod = podOf({ containers: [] });
  const get = (expirationSeconds = 3600) =>
    tokens.tokenFor(pod, { path: 'token', expirationSeconds }, new AbortController().signal);
  const minutes = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i += 1) await clock.advance(60_000);
  };
  t.equal(await get(), 'token-1');
  t.equal(await get(), 'token-1');
  await minutes(46);
  t.same(renewals, []);
  await minutes(3);
  t.ok(renewals.length > 0, 'after 80 % of its life');
  isAway = true;
  t.equal(await get(), 'token-1', 'still valid');
  await minutes(20);
  await t.rejects(get(), { message: 'away' });
  isAway = false;
  t.equal(await get(), 'token-2');
  t.equal(await get(7200), 'token-3', 'of another kind');
  tokens.release('u1');
  t.equal(clock.pending, 0, 'no timer is left');
  const before = renewals.length;
  await minutes(100);
  t.equal(renewals.length, before);
});
