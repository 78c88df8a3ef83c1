import t from 'tap';
import type { KubeObject } from '../../../src/api/types.js';
import type { Patch } from '../../../src/client/client.js';
import { createFakeClock } from '../../../src/testing/clock.js';
import { causesOf, contextOf, createTestRegistry } from '../testing.js';

const dry = contextOf({ dryRun: true });
const container = { name: 'main', image: 'nginx' };
const template = { metadata: { labels: { app: 'a' } }, spec: { containers: [container] } };
const workload = (spec: object): object => ({
  metadata: { name: 'a' },
  spec: { selector: { matchLabels: { app: 'a' } }, template, ...spec },
});

async function setUp() {
  const { registry, rowOf } = await createTestRegistry({ clock: createFakeClock() });
  const isNamespaced = (kind: string): boolean => rowOf(kind).type.namespaced;
  const namespaceOf = (kind: string): string | undefined => (isNamespaced(kind) ? 'default' : undefined);
  const ref = (kind: string) => ({ namespace: namespaceOf(kind), name: 'a' });
  return {
    create: (kind: string, body: object) =>
      registry.create(rowOf(kind), namespaceOf(kind), body, contextOf()),
    patch: (kind: string, body: unknown, subresource?: string, type: Patch['type'] = 'merge') =>
      registry.patch(rowOf(kind), ref(kind), { type, body }, contextOf(), subresource),
    /** `path: text` of every field that is refused; empty when the object is fine. */
    async problems(kind: string, body: object): Promise<string[]> {
      return causesOf(registry.create(rowOf(kind), namespaceOf(kind), body, dry));
    },
  };
}

type Case = [what: string, kind: string, body: object, problems: string[]];

const portRange = 'must be between 1 and 65535, inclusive';
const workloadCases: Case[] = [
  ['a minimal deployment', 'deployments', workload({}), []],
  [
    'a selector that misses its template',
    'deployments',
    workload({ selector: { matchLabels: { app: 'b' } } }),
    [
      'spec.template.metadata.labels: Invalid value: {"app":"a"}: `selector` does not match template `labels`',
    ],
  ],
  ['no selector', 'replicasets', workload({ selector: undefined }), ['spec.selector: Required value']],
  [
    'an empty selector',
    'replicasets',
    workload({ selector: {} }),
    ['spec.selector: Invalid value: {}: empty selector is invalid for deployment'],
  ],
  [
    'replicas and restart policy',
    'deployments',
    workload({
      replicas: -1,
      template: { ...template, spec: { containers: [container], restartPolicy: 'Never' } },
    }),
    [
      'spec.replicas: Invalid value: -1: must be greater than or equal to 0',
      'spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"',
    ],
  ],
  [
    'a container of a template',
    'replicasets',
    workload({ template: { ...template, spec: { containers: [{ name: 'x' }] } } }),
    ['spec.template.spec.containers[0].image: Required value'],
  ],
  [
    'a rollout that cannot move',
    'deployments',
    workload({ strategy: { rollingUpdate: { maxUnavailable: 0, maxSurge: '0%' } } }),
    ['spec.strategy.rollingUpdate.maxUnavailable: Invalid value: 0: may not be 0 when `maxSurge` is 0'],
  ],
  [
    'Recreate with numbers for rolling',
    'deployments',
    workload({ strategy: { type: 'Recreate', rollingUpdate: { maxSurge: 1 } } }),
    ["spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'"],
  ],
  [
    'a deadline that is over before readiness',
    'deployments',
    workload({ minReadySeconds: 30, progressDeadlineSeconds: 30 }),
    ['spec.progressDeadlineSeconds: Invalid value: 30: must be greater than minReadySeconds'],
  ],
];

const named = (more: object): object => ({ metadata: { name: 'a' }, ...more });
const base64 = (text: string): string => Buffer.from(text).toString('base64');

const otherCases: Case[] = [
  [
    'keys of a ConfigMap',
    'configmaps',
    named({ data: { a: '1', '..b': '2' }, binaryData: { a: '' } }),
    [
      'data[..b]: Invalid value: "..b": must not start with \'..\'',
      'data[a]: Invalid value: "a": duplicate of key present in binaryData',
    ],
  ],
  [
    'a ConfigMap over 1 MiB',
    'configmaps',
    named({ data: { a: 'x'.repeat(1024 * 1024 + 1) } }),
    ['[]: Too long: may not be more than 1048576 bytes'],
  ],
  ['a ConfigMap of 1 MiB', 'configmaps', named({ data: { a: 'x'.repeat(1024 * 1024) } }), []],
  [
    'a TLS Secret without its key',
    'secrets',
    named({ type: 'kubernetes.io/tls', stringData: { 'tls.crt': 'x' } }),
    ['data[tls.key]: Required value'],
  ],
  [
    'a registry Secret that is no JSON',
    'secrets',
    named({ type: 'kubernetes.io/dockerconfigjson', data: { '.dockerconfigjson': base64('{') } }),
    ['data[.dockerconfigjson]: Invalid value: "<secret contents redacted>": invalid JSON'],
  ],
  [
    'a namespace with a dot',
    'namespaces',
    { metadata: { name: 'a.b' } },
    ['metadata.name: Invalid value: "a.b": must not contain dots'],
  ],
  [
    'taints',
    'nodes',
    named({
      spec: {
        taints: [
          { key: 'k', effect: 'NoSchedule' },
          { key: 'k', effect: 'NoSchedule' },
          { key: 'x', effect: 'Go' },
        ],
      },
    }),
    [
      'spec.taints[1]: Duplicate value: {"key":"k","effect":"NoSchedule"}: taints must be unique by key and effect pair',
      'spec.taints[2].effect: Unsupported value: "Go": supported values: "NoSchedule", "PreferNoSchedule", "NoExecute"',
    ],
  ],
  [
    'a Lease of no time',
    'leases',
    named({ spec: { leaseDurationSeconds: 0, leaseTransitions: -1 } }),
    [
      'spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0',
      'spec.leaseTransitions: Invalid value: -1: must be greater than or equal to 0',
    ],
  ],
  [
    'an event somewhere else',
    'events',
    named({ involvedObject: { kind: 'Pod', namespace: 'other', name: 'x' } }),
    ['involvedObject.namespace: Invalid value: "other": does not match event.namespace'],
  ],
  [
    'endpoints',
    'endpoints',
    named({
      subsets: [{ addresses: [{ ip: '127.0.0.1' }], ports: [{ port: 0 }, { name: 'b', port: 1 }] }, {}],
    }),
    [
      'subsets[0].addresses[0].ip: Invalid value: "127.0.0.1": may not be in the loopback range (127.0.0.0/8, ::1/128)',
      'subsets[0].ports[0].name: Required value',
      `subsets[0].ports[0].port: Invalid value: 0: ${portRange}`,
      'subsets[1]: Required value: must specify `addresses` or `notReadyAddresses`',
    ],
  ],
  [
    'endpoint slices',
    'endpointslices',
    named({
      addressType: 'IPv4',
      endpoints: [{ addresses: [] }, { addresses: ['::1'] }],
      ports: [{ port: 1 }, { port: 2 }],
    }),
    [
      'ports[1].name: Duplicate value: ""',
      'endpoints[0].addresses: Required value: must contain at least 1 address',
      'endpoints[1].addresses[0]: Invalid value: "::1": must be a valid IPv4 address',
    ],
  ],
  [
    'a certificate request without anything',
    'certificatesigningrequests',
    named({ spec: { request: base64('x'), signerName: 'nobody' } }),
    [
      `spec.request: Invalid value: "${base64('x')}": PEM block type must be CERTIFICATE REQUEST`,
      'spec.usages: Required value',
      'spec.signerName: Invalid value: "nobody": must be a fully qualified domain and path of the form "example.com/signer-name"',
    ],
  ],
];

for (const [title, cases] of Object.entries({ workloads: workloadCases, others: otherCases })) {
  t.test(`what may not be created: ${title}`, async (t) => {
    const { problems } = await setUp();
    for (const [what, kind, body, expected] of cases)
      t.match(await problems(kind, body), expected, `${kind}: ${what}`);
    for (const [what, kind, body, expected] of cases)
      t.equal((await problems(kind, body)).length, expected.length, `${kind}: ${what}, nothing else`);
  });
}

t.test('what is set once stays', async (t) => {
  const { create, patch } = await setUp();
  await create('deployments', workload({}));
  const other = {
    selector: { matchLabels: { app: 'a', tier: 'b' } },
    template: { metadata: { labels: { app: 'a', tier: 'b' } } },
  };
  t.same(await causesOf(patch('deployments', { spec: other })), [
    'spec.selector: Invalid value: {"matchLabels":{"app":"a","tier":"b"}}: field is immutable',
  ]);

  await create('configmaps', named({ data: { a: '1' }, immutable: true }));
  t.same(await causesOf(patch('configmaps', { data: { a: '2' }, immutable: null })), [
    'immutable: Forbidden: field is immutable when `immutable` is set',
    'data: Forbidden: field is immutable when `immutable` is set',
  ]);
  await patch('configmaps', { metadata: { labels: { still: 'writable' } } });

  await create('secrets', named({ type: 'x' }));
  t.same(await causesOf(patch('secrets', { type: 'y' })), ['type: Invalid value: "y": field is immutable']);

  await create('nodes', named({ spec: { podCIDR: '10.244.0.0/24', podCIDRs: ['10.244.0.0/24'] } }));
  t.same(await causesOf(patch('nodes', { spec: { podCIDRs: ['10.244.1.0/24'] } })), [
    'spec.podCIDRs: Forbidden: node updates may not change podCIDR except from "" to valid',
  ]);

  await create('endpointslices', named({ addressType: 'IPv4' }));
  t.same(await causesOf(patch('endpointslices', { addressType: 'IPv6' })), [
    'addressType: Invalid value: "IPv6": field is immutable',
  ]);
});

t.test('certificate requests: who asks, who decides, who signs', async (t) => {
  const { create, patch } = await setUp();
  const request = base64('-----BEGIN CERTIFICATE REQUEST-----');
  const spec = {
    request,
    signerName: 'example.com/x',
    usages: ['client auth'],
    username: 'root',
    groups: ['system:masters'],
  };
  const created = await create('certificatesigningrequests', named({ spec }));
  t.match(created.object, { spec: { username: 'admin', groups: ['system:masters'] } });
  const approved = { type: 'Approved', status: 'True', reason: 'Fine', message: '' };
  const byStatus = await patch(
    'certificatesigningrequests',
    { status: { certificate: base64('c'), conditions: [approved] } },
    'status',
  );
  t.same(
    (byStatus.object as { status?: object } & KubeObject).status,
    { certificate: base64('c') },
    'a signer cannot approve',
  );
  const decided = await patch(
    'certificatesigningrequests',
    { status: { certificate: base64('d'), conditions: [approved] } },
    'approval',
  );
  t.match(decided.object, {
    status: { certificate: base64('c'), conditions: [{ type: 'Approved', lastTransitionTime: String }] },
  });
  t.same(
    await causesOf(patch('certificatesigningrequests', { status: { certificate: base64('d') } }, 'status')),
    ['status.certificate: Forbidden: may not be changed once set'],
  );
});
