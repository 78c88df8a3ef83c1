/** What an old version says survives the way to the stored one and back, whatever it says. */

import { deepStrictEqual } from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import type { KubeObject } from '../../../src/api/types.js';
import { sliceFromStored, sliceToStored } from './endpointslice.js';
import { eventFromStored, eventToStored } from './event.js';
import { ingressFromStored, ingressToStored } from './ingress.js';

const name = fc.stringMatching(/^[a-z]{1,5}$/);
/** Only the members that have a value, as JSON has them. */
const some = <T extends Record<string, fc.Arbitrary<unknown>>>(shape: T) =>
  fc.record(shape, { requiredKeys: [] }) as fc.Arbitrary<Record<string, unknown>>;
/** As it would be sent. */
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));
const metadata = fc.record({ name, namespace: name });

const port = fc.oneof(fc.integer({ min: 1, max: 65535 }), name);
const resource = fc.record({ kind: name, name });
const oldBackend = fc.oneof(fc.record({ serviceName: name, servicePort: port }), fc.record({ resource }));
const newPort = fc.oneof(fc.record({ number: fc.integer({ min: 1, max: 65535 }) }), fc.record({ name }));
const newBackend = fc.oneof(
  fc.record({ service: fc.record({ name, port: newPort }) }),
  fc.record({ resource }),
);
const pathType = fc.constantFrom('Exact', 'Prefix', 'ImplementationSpecific');
const rulesOf = (backend: fc.Arbitrary<unknown>) =>
  fc.array(
    some({
      host: name,
      http: fc.record({ paths: fc.array(fc.record({ path: name, pathType, backend }), { maxLength: 3 }) }),
    }),
    { maxLength: 3 },
  );
const tls = fc.array(some({ hosts: fc.array(name), secretName: name }), { maxLength: 2 });

const beta = 'networking.k8s.io/v1beta1';
const oldIngress = fc.record({
  apiVersion: fc.constant(beta),
  metadata,
  spec: some({ backend: oldBackend, rules: rulesOf(oldBackend), tls, ingressClassName: name }),
});
const newIngress = fc.record({
  apiVersion: fc.constant('networking.k8s.io/v1'),
  metadata,
  spec: some({ defaultBackend: newBackend, rules: rulesOf(newBackend), tls, ingressClassName: name }),
});

t.test('ingresses, both ways', async () => {
  fc.assert(
    fc.property(oldIngress, (given) =>
      deepStrictEqual(plain(ingressFromStored(beta, ingressToStored(given as KubeObject))), plain(given)),
    ),
    { numRuns: 200 },
  );
  fc.assert(
    fc.property(newIngress, (given) =>
      deepStrictEqual(plain(ingressToStored(ingressFromStored(beta, given as KubeObject))), plain(given)),
    ),
    { numRuns: 200 },
  );
});

const eventShape = {
  eventTime: fc.constant('2026-01-01T00:00:00.000000Z'),
  series: fc.record({ count: fc.nat(), lastObservedTime: fc.constant('2026-01-01T00:00:00.000000Z') }),
  reportingInstance: name,
  action: name,
  reason: name,
  type: name,
};
const newEvent = fc
  .tuple(
    fc.record({ apiVersion: fc.constant('events.k8s.io/v1'), metadata, regarding: resource }),
    some({
      ...eventShape,
      note: name,
      reportingController: name,
      deprecatedSource: fc.record({ component: name }),
      deprecatedCount: fc.nat(),
      deprecatedFirstTimestamp: name,
      deprecatedLastTimestamp: name,
    }),
  )
  .map(([must, may]) => ({ ...must, ...may }));
const coreEvent = fc
  .tuple(
    fc.record({ apiVersion: fc.constant('v1'), metadata, involvedObject: resource }),
    some({
      ...eventShape,
      message: name,
      reportingComponent: name,
      source: fc.record({ host: name }),
      count: fc.nat(),
    }),
  )
  .map(([must, may]) => ({ ...must, ...may }));

t.test('events, both ways', async () => {
  fc.assert(
    fc.property(newEvent, (given) =>
      deepStrictEqual(
        plain(eventFromStored('events.k8s.io/v1', eventToStored(given as KubeObject))),
        plain(given),
      ),
    ),
    { numRuns: 200 },
  );
  fc.assert(
    fc.property(coreEvent, (given) =>
      deepStrictEqual(
        plain(eventToStored(eventFromStored('events.k8s.io/v1', given as KubeObject))),
        plain(given),
      ),
    ),
    { numRuns: 200 },
  );
});

const slice = fc.record({
  apiVersion: fc.constant('discovery.k8s.io/v1'),
  metadata,
  addressType: fc.constant('IPv4'),
  endpoints: fc.array(
    fc
      .tuple(
        fc.record({ addresses: fc.array(name) }),
        some({
          nodeName: name,
          zone: name,
          hostname: name,
          deprecatedTopology: fc.dictionary(fc.constantFrom('region', 'rack'), name, { minKeys: 1 }),
        }),
      )
      .map(([must, may]) => ({ ...must, ...may })),
    { maxLength: 3 },
  ),
});

t.test('endpoint slices: what is stored comes back', async (t) => {
  fc.assert(
    fc.property(slice, (given) =>
      deepStrictEqual(plain(sliceToStored(sliceFromStored(given as KubeObject))), plain(given)),
    ),
    { numRuns: 200 },
  );
  const topology = { 'kubernetes.io/hostname': 'n', 'topology.kubernetes.io/zone': 'z', rack: 'r' };
  const old = { metadata: {}, addressType: 'IPv4', endpoints: [{ addresses: ['10.0.0.1'], topology }] };
  const stored = sliceToStored(old as KubeObject);
  t.match(stored, { endpoints: [{ nodeName: 'n', zone: 'z', deprecatedTopology: { rack: 'r' } }] });
  t.match(sliceFromStored(stored), { endpoints: [{ topology, nodeName: 'n' }] });
});
