/** Defaults and limits for pods and claims: what is set, what is noted, what is refused in which words. */
import t from 'tap';
import { limitRanges, persistentVolumeClaims, pods } from '../../../../src/api/kinds.js';
import type { Container, LimitRange, LimitRangeItem, Pod, PodSpec } from '../../../../src/api/types.js';
import { pod as podOf } from '../../../../src/testing/builders.js';
import { createPluginBed } from '../testing.js';
import { withDefaults } from './defaults.js';
import { createLimitRanger } from './limitranger.js';
import { claimViolations, podViolations } from './violations.js';

type Amounts = Record<string, string>;

const rangeOf = (...limits: LimitRangeItem[]): LimitRange => ({ metadata: { name: 'r' }, spec: { limits } });

const container = (name: string, requests?: Amounts, limits?: Amounts): Container => ({
  name,
  image: 'x',
  ...((requests || limits) && {
    resources: { ...(requests && { requests }), ...(limits && { limits }) },
  }),
});

const podWith = (spec: Partial<PodSpec>): Pod => podOf('p', { spec: { containers: [], ...spec } });

void t.test('defaults', (t) => {
  const range = rangeOf(
    {
      type: 'Container',
      default: { cpu: '300m', memory: '200Mi' },
      defaultRequest: { cpu: '200m', memory: '100Mi' },
    },
    { type: 'Pod', max: { cpu: '2' } },
  );
  const given = podWith({
    containers: [container('a'), container('b', { cpu: '1' }, { cpu: '1' })],
    initContainers: [
      container('i', { cpu: '1', memory: '1' }, { cpu: '1', memory: '1' }),
      container('j', { cpu: '1', memory: '1' }, { cpu: '1' }),
    ],
  });
  const { spec, metadata } = withDefaults(given, [range]);
  t.strictSame(
    spec?.containers.map(({ resources }) => resources),
    [
      { requests: { cpu: '200m', memory: '100Mi' }, limits: { cpu: '300m', memory: '200Mi' } },
      { requests: { cpu: '1', memory: '100Mi' }, limits: { cpu: '1', memory: '200Mi' } },
    ],
  );
  t.match(spec?.initContainers?.[1]?.resources, { limits: { memory: '200Mi' } });
  t.equal(
    metadata.annotations?.['kubernetes.io/limit-ranger'],
    'LimitRanger plugin set: cpu, memory request for container a; cpu, memory limit for container a; ' +
      'memory request for container b; memory limit for container b; memory limit for init container j',
  );
  const complete = podWith({
    containers: [container('a', { cpu: '1', memory: '1' }, { cpu: '1', memory: '1' })],
  });
  t.equal(withDefaults(complete, [range]), complete, 'nothing to do, nothing done');
  t.equal(withDefaults(given, [rangeOf({ type: 'Pod', max: { cpu: '1' } })]), given);
  const two = withDefaults(podWith({ containers: [container('a')] }), [
    rangeOf({ type: 'Container', default: { cpu: '1' } }),
    rangeOf({ type: 'Container', default: { cpu: '2', memory: '2Gi' } }),
  ]);
  t.strictSame(two.spec?.containers[0]?.resources?.limits, { cpu: '1', memory: '2Gi' }, 'the first decides');
  t.end();
});

void t.test('containers out of bounds', (t) => {
  const range = rangeOf({
    type: 'Container',
    min: { cpu: '100m' },
    max: { cpu: '1', memory: '1Gi' },
    maxLimitRequestRatio: { cpu: '4' },
  });
  const found = (...containers: Container[]): string[] =>
    podViolations([range], podWith({ containers }), undefined);
  t.strictSame(found(container('a', { cpu: '250m' }, { cpu: '1', memory: '1Gi' })), []);
  t.strictSame(found(container('a', { cpu: '50m' }, { cpu: '1500m', memory: '2Gi' })), [
    'minimum cpu usage per Container is 100m, but request is 50m',
    'maximum cpu usage per Container is 1, but limit is 1500m',
    'maximum memory usage per Container is 1Gi, but limit is 2Gi',
    'cpu max limit to request ratio per Container is 4, but provided ratio is 30.000000',
  ]);
  t.strictSame(found(container('a'), container('b')), [
    'minimum cpu usage per Container is 100m.  No request is specified',
    'maximum cpu usage per Container is 1.  No limit is specified',
    'maximum memory usage per Container is 1Gi.  No limit is specified',
    'cpu max limit to request ratio per Container is 4, but no request is specified or request is 0',
  ]);
  t.strictSame(found(container('a', { cpu: '200m', memory: '2Gi' }, { cpu: '50m', memory: '1Gi' })), [
    'minimum cpu usage per Container is 100m, but limit is 50m',
    'maximum memory usage per Container is 1Gi, but request is 2Gi',
  ]);
  t.match(
    podViolations([range], podWith({ initContainers: [container('i', { cpu: '5m' })] }), undefined)[0],
    /minimum cpu/,
    'init containers too',
  );
  t.end();
});

void t.test('pods out of bounds: their containers together, or what runs before them', (t) => {
  const range = rangeOf({ type: 'Pod', max: { cpu: '2' }, min: { memory: '1Gi' } });
  const half = container('h', { cpu: '1', memory: '512Mi' }, { cpu: '1', memory: '512Mi' });
  const found = (spec: Partial<PodSpec>): string[] => podViolations([range], podWith(spec), undefined);
  t.strictSame(found({ containers: [half, half] }), []);
  t.strictSame(found({ containers: [half, half, half] }), ['maximum cpu usage per Pod is 2, but limit is 3']);
  t.strictSame(found({ containers: [half] }), ['minimum memory usage per Pod is 1Gi, but request is 512Mi']);
  const big = container('i', { cpu: '1', memory: '1Gi' }, { cpu: '2500m' });
  t.strictSame(found({ containers: [half, half], initContainers: [big] }), [
    'maximum cpu usage per Pod is 2, but limit is 2500m',
  ]);
  t.strictSame(found({ containers: [half, half], initContainers: [{ ...half, restartPolicy: 'Always' }] }), [
    'maximum cpu usage per Pod is 2, but limit is 3',
  ]);
  const resources = { requests: { cpu: '2', memory: '1Gi' }, limits: { cpu: '2' } };
  t.strictSame(found({ containers: [half, half, half], resources }), [], 'the pod as a whole decides');
  t.end();
});

void t.test('what stays as it was is left alone', (t) => {
  const range = rangeOf(
    { type: 'Container', max: { cpu: '1', memory: '1Gi' } },
    { type: 'PersistentVolumeClaim', min: { storage: '1Gi' }, max: { storage: '2Gi' } },
  );
  const sized = (cpu: string): Pod => podWith({ containers: [container('a', {}, { cpu, memory: '5Gi' })] });
  t.strictSame(podViolations([range], sized('500m'), sized('3')), []);
  t.strictSame(podViolations([range], sized('2'), sized('3')), [
    'maximum cpu usage per Container is 1, but limit is 2',
  ]);
  const claim = (storage: string) => ({ metadata: {}, spec: { resources: { requests: { storage } } } });
  t.strictSame(claimViolations([range], claim('3Gi'), undefined), [
    'maximum storage usage per PersistentVolumeClaim is 2Gi, but request is 3Gi',
  ]);
  t.strictSame(claimViolations([range], claim('1'), undefined), [
    'minimum storage usage per PersistentVolumeClaim is 1Gi, but request is 1',
  ]);
  t.strictSame(claimViolations([range], claim('3Gi'), claim('3Gi')), []);
  t.end();
});

void t.test('through the registry', async (t) => {
  const bed = await createPluginBed([createLimitRanger]);
  t.teardown(() => bed.close());
  const { client } = bed;
  const namespace = 'default';
  const create = (name: string, requests?: Amounts, limits?: Amounts): Promise<Pod> =>
    client.create(pods, {
      metadata: { namespace, name },
      spec: { containers: [container('c', requests, limits)] },
    });
  t.notOk((await create('before')).metadata.annotations);
  await client.create(limitRanges, {
    metadata: { namespace, name: 'one' },
    spec: { limits: [{ type: 'Container', max: { cpu: '1' }, default: { cpu: '500m' } }] },
  });
  const made = await create('a');
  t.strictSame(made.spec?.containers[0]?.resources, { requests: { cpu: '500m' }, limits: { cpu: '500m' } });
  await t.rejects(create('b', { cpu: '2' }, { cpu: '3' }), {
    message: 'pods "b" is forbidden: maximum cpu usage per Container is 1, but limit is 3',
  } as Error);
  await client.create(limitRanges, {
    metadata: { namespace, name: 'two' },
    spec: { limits: [{ type: 'Pod', max: { memory: '1Gi' } }] },
  });
  await t.rejects(create('c', { cpu: '2' }, { cpu: '3' }), {
    message:
      'pods "c" is forbidden: [maximum cpu usage per Container is 1, but limit is 3, ' +
      'maximum memory usage per Pod is 1Gi.  No limit is specified]',
  } as Error);
  const body = { metadata: { labels: { a: 'b' } } };
  await client.patch(pods, { namespace, name: 'before' }, { type: 'merge', body });
  t.pass('a pod that is there may change otherwise');
  await client.create(limitRanges, {
    metadata: { namespace, name: 'three' },
    spec: { limits: [{ type: 'PersistentVolumeClaim', max: { storage: '1Gi' } }] },
  });
  await t.rejects(
    client.create(persistentVolumeClaims, {
      metadata: { namespace, name: 'big' },
      spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '2Gi' } } },
    }),
    {
      message:
        'persistentvolumeclaims "big" is forbidden: maximum storage usage per PersistentVolumeClaim is 1Gi, but request is 2Gi',
    } as Error,
  );
});
