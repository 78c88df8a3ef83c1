import fc from 'fast-check';
import t from 'tap';
import type { EndpointSlice, Pod, Service } from '../../src/api/types.js';
import { pod, service } from '../../src/testing/builders.js';
import { backendsOf } from './endpointmodel.js';
import { plan as planEndpoints } from './endpoints.js';
import { plan } from './endpointsliceplan.js';

const web = (fields: Parameters<typeof service>[1] = {}): Service =>
  service('web', { ...fields, meta: { uid: 'abcde-1', ...fields.meta } });
const podAt = (name: string, ip: string, more: Parameters<typeof pod>[1] = {}): Pod =>
  pod(name, { ip, node: 'n1', ready: true, ...more, meta: { uid: name, ...more.meta } });

void t.test('what an endpoint says about its pod', (t) => {
  const terminating = { deletionTimestamp: 'x' };
  const cases: [string, Pod, object | undefined, boolean | undefined][] = [
    ['ready', podAt('a', '1.1.1.1'), { ready: true, serving: true, terminating: false }, true],
    [
      'not ready',
      podAt('a', '1.1.1.1', { ready: false }),
      { ready: false, serving: false, terminating: false },
      false,
    ],
    [
      'terminating, still ready',
      podAt('a', '1.1.1.1', { meta: terminating }),
      { ready: false, serving: true, terminating: true },
      undefined,
    ],
    ['without address', pod('a', { ready: true }), undefined, undefined],
    ['ended', podAt('a', '1.1.1.1', { status: { phase: 'Succeeded' } }), undefined, undefined],
  ];
  for (const [why, one, conditions, isReadyAddress] of cases) {
    const backends = backendsOf(web(), [one]);
    t.strictSame(plan(web(), backends, []).create[0]?.endpoints?.[0]?.conditions, conditions, why);
    const subset = planEndpoints(web(), backends, undefined).subsets?.[0];
    const state = subset && (subset.addresses ? true : subset.notReadyAddresses ? false : undefined);
    t.equal(state, isReadyAddress, `${why} in Endpoints`);
  }
  const all = web({ spec: { publishNotReadyAddresses: true } });
  const [endpoint] =
    plan(all, backendsOf(all, [podAt('a', '1.1.1.1', { ready: false })]), []).create[0]?.endpoints ?? [];
  t.match(endpoint?.conditions, { ready: true, serving: false });
  t.end();
});

void t.test('named target ports differ from pod to pod; headless services and host names', (t) => {
  const named = web({ ports: [{ name: 'http', port: 80, targetPort: 'http', protocol: 'TCP' }] });
  const withPort = (name: string, ip: string, containerPort: number): Pod =>
    podAt(name, ip, {
      spec: {
        containers: [{ name: 'c', image: 'i', ports: [{ name: 'http', containerPort, protocol: 'TCP' }] }],
      },
    });
  const pods = [
    withPort('a', '1.1.1.1', 8080),
    withPort('b', '1.1.1.2', 9090),
    withPort('c', '1.1.1.3', 8080),
    podAt('d', '1.1.1.4'),
  ];
  const { create } = plan(named, backendsOf(named, pods), []);
  const shape = create.map(({ ports, endpoints }) => [ports?.[0]?.port, endpoints?.length]);
  t.strictSame(shape, [
    [8080, 2],
    [9090, 1],
    [undefined, 1],
  ]);
  t.strictSame(
    planEndpoints(named, backendsOf(named, pods), undefined).subsets?.map((s) => [
      s.ports?.[0]?.port,
      s.addresses?.length,
    ]),
    [
      [8080, 2],
      [9090, 1],
    ],
  );

  const headless = web({ spec: { clusterIP: 'None', ports: undefined } });
  const host = podAt('h', '1.1.1.5', { spec: { hostname: 'db-0', subdomain: 'web' } });
  const [slice] = plan(headless, backendsOf(headless, [host]), []).create;
  t.match(slice, {
    endpoints: [{ hostname: 'db-0', nodeName: 'n1', targetRef: { kind: 'Pod', name: 'h', uid: 'h' } }],
    ports: [],
  });
  t.match(slice?.metadata.labels, {
    'kubernetes.io/service-name': 'web',
    'service.kubernetes.io/headless': '',
  });
  t.match(planEndpoints(headless, backendsOf(headless, [host]), undefined).subsets, [
    { addresses: [{ hostname: 'db-0' }] },
  ]);
  t.end();
});

void t.test('a Service without pods has one empty slice', (t) => {
  const { create } = plan(web(), [], []);
  t.equal(create.length, 1);
  t.strictSame(create[0]?.endpoints, []);
  const again = plan(web(), [], create);
  t.strictSame(again, { create: [], update: [], delete: [] });
  const first = plan(web(), backendsOf(web(), [podAt('a', '1.1.1.1')]), create);
  t.strictSame(
    [first.create.length, first.update.length, first.delete.length],
    [0, 1, 0],
    'which its first pod uses',
  );
  t.end();
});

void t.test('after any changes of the pods the slices hold each of them once, and little is written', (t) => {
  const ids = fc.uniqueArray(fc.integer({ min: 0, max: 400 }), { maxLength: 350 });
  fc.assert(
    fc.property(fc.array(ids, { minLength: 1, maxLength: 4 }), (rounds) => {
      let slices: EndpointSlice[] = [];
      for (const round of rounds) {
        const pods = round.map((id) => podAt(`p${id}`, `10.0.${id >> 8}.${id & 255}`));
        const steps = plan(web(), backendsOf(web(), pods), slices);
        const gone = new Set(steps.delete.map((slice) => slice.metadata.name));
        const changed = new Map(steps.update.map((slice) => [slice.metadata.name, slice]));
        slices = [
          ...slices.map((slice) => changed.get(slice.metadata.name) ?? slice),
          ...steps.create,
        ].filter((slice) => !gone.has(slice.metadata.name));
        const held = slices
          .flatMap((slice) => slice.endpoints ?? [])
          .map((endpoint) => endpoint.targetRef?.name);
        if (
          held.toSorted().join() !==
          pods
            .map((one) => one.metadata.name)
            .toSorted()
            .join()
        )
          throw new Error('not the pods');
        if (slices.some((slice) => (slice.endpoints?.length ?? 0) > 100)) throw new Error('too long');
        if (new Set(slices.map((slice) => slice.metadata.name)).size !== slices.length)
          throw new Error('a name twice');
        const steady = plan(web(), backendsOf(web(), pods), slices);
        if (steady.create.length + steady.update.length + steady.delete.length > 0)
          throw new Error('not steady');
      }
    }),
    { numRuns: 50 },
  );
  const pods = Array.from({ length: 250 }, (_, i) => podAt(`p${i}`, `10.1.0.${i}`));
  const { create } = plan(web(), backendsOf(web(), pods), []);
  t.equal(create.length, 3);
  const without = pods.filter((one) => one.metadata.name !== 'p7');
  const steps = plan(web(), backendsOf(web(), without), create);
  t.strictSame(
    [steps.create.length, steps.update.length, steps.delete.length],
    [0, 1, 0],
    'one pod less, one write',
  );
  t.end();
});
