import t from 'tap';
import type { CertificateSigningRequest, KubeObject, Node } from '../../../src/api/types.js';
import { createKey, createRequest } from '../../../src/host/x509.js';
import { createFakeClock } from '../../../src/testing/clock.js';
import { createAuthority } from '../../auth/ca.js';
import { causesOf, contextOf, createTestRegistry } from '../testing.js';

const context = contextOf();
const dry = contextOf({ dryRun: true });
const { registry, rowOf } = await createTestRegistry({ clock: createFakeClock() });
const refOf = (kind: string, name = 'a') =>
  rowOf(kind).type.namespaced ? { namespace: 'default', name } : { name };
const create = (kind: string, body: object, given = dry) =>
  registry.create(
    rowOf(kind),
    rowOf(kind).type.namespaced ? 'default' : undefined,
    { metadata: { name: 'a' }, ...body },
    given,
  );
const merge = (kind: string, body: object, subresource?: string) =>
  registry.patch(rowOf(kind), refOf(kind), { type: 'merge', body }, context, subresource);

const b64 = (text: string): string => Buffer.from(text).toString('base64');
const ip = 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)';
const key =
  "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";
const port = 'must be between 1 and 65535, inclusive';
const names = { commonName: 'jane', organizations: [], dnsNames: [], ips: [] };
const request = b64(await createRequest(await createKey(), names));
const csr = { request, signerName: 'example.com/sign', usages: ['client auth'] };

const cases: [string, object, string[]][] = [
  [
    'namespaces',
    { metadata: { name: 'a.b' } },
    ['metadata.name: Invalid value: "a.b": must not contain dots'],
  ],
  ['configmaps', { data: { 'a/b': 'c' } }, [`data[a/b]: Invalid value: "a/b": ${key}`]],
  ['configmaps', { data: { '..': 'c' } }, ['data[..]: Invalid value: "..": must not be \'..\'']],
  [
    'configmaps',
    { data: { a: 'b' }, binaryData: { a: 'YQ==' } },
    ['data[a]: Invalid value: "a": duplicate of key present in binaryData'],
  ],
  [
    'configmaps',
    { data: { a: 'x'.repeat(1024 * 1024 + 1) } },
    ['[]: Too long: may not be more than 1048576 bytes'],
  ],
  [
    'secrets',
    { data: { a: b64('x'.repeat(1024 * 1024 + 1)) } },
    ['data: Too long: may not be more than 1048576 bytes'],
  ],
  ['secrets', { type: 'kubernetes.io/tls', data: { 'tls.crt': 'YQ==' } }, ['data[tls.key]: Required value']],
  [
    'secrets',
    { type: 'kubernetes.io/dockerconfigjson', data: { '.dockerconfigjson': b64('my password') } },
    ['data[.dockerconfigjson]: Invalid value: "<secret contents redacted>": invalid JSON'],
  ],
  ['nodes', { spec: { taints: [{ key: 'a' }] } }, ['metadata.taints[0].effect: Required value']],
  [
    'nodes',
    { spec: { taints: [{ key: 'a', effect: 'Nope' }] } },
    [
      'metadata.taints[0].effect: Unsupported value: "Nope": supported values: "NoSchedule", "PreferNoSchedule", "NoExecute"',
    ],
  ],
  [
    'nodes',
    {
      spec: {
        taints: [
          { key: 'a', effect: 'NoExecute' },
          { key: 'a', effect: 'NoExecute' },
        ],
      },
    },
    [
      'metadata.taints[1]: Duplicate value: {"Key":"a","Value":"","Effect":"NoExecute","TimeAdded":null}: taints must be unique by key and effect pair',
    ],
  ],
  [
    'nodes',
    { spec: { podCIDRs: ['10.0.0.0'] } },
    [
      'spec.podCIDRs[0]: Invalid value: "10.0.0.0": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)',
    ],
  ],
  [
    'nodes',
    { status: { capacity: { cpu: '-1', pods: '1500m' }, allocatable: {} } },
    [
      'status.capacity.cpu: Invalid value: "-1": must be greater than or equal to 0',
      'status.capacity.pods: Invalid value: "1500m": must be an integer',
    ],
  ],
  [
    'nodes',
    { spec: { podCIDRs: ['10.0.0.0/24', '10.0.0.0/24'] } },
    [
      'spec.podCIDRs: Invalid value: ["10.0.0.0/24","10.0.0.0/24"]: may specify no more than one CIDR for each IP family',
      'spec.podCIDRs[1]: Duplicate value: "10.0.0.0/24"',
    ],
  ],
  [
    'namespaces',
    { spec: { finalizers: ['mine'] } },
    [
      'spec.finalizers: Invalid value: "mine": name is neither a standard finalizer name nor is it fully qualified',
    ],
  ],
  ['secrets', { type: 'kubernetes.io/ssh-auth' }, ['data[%s][ssh-privatekey]: Required value']],
  [
    'secrets',
    { type: 'kubernetes.io/basic-auth' },
    ['data[%s][username]: Required value', 'data[%s][password]: Required value'],
  ],
  [
    'endpointslices',
    { addressType: 'FQDN', endpoints: [{ addresses: ['host'] }] },
    [
      'endpoints[0].addresses[0]: Invalid value: "host": should be a domain with at least two segments separated by dots',
    ],
  ],
  [
    'endpointslices',
    {
      addressType: 'IPv4',
      endpoints: [{ addresses: ['169.254.0.1'] }],
    },
    [
      'endpoints[0].addresses[0]: Invalid value: "169.254.0.1": may not be in the link-local range (169.254.0.0/16, fe80::/10)',
    ],
  ],
  [
    'leases',
    { spec: { leaseDurationSeconds: 0 } },
    ['spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0'],
  ],
  [
    'leases',
    { spec: { leaseTransitions: -1 } },
    ['spec.leaseTransitions: Invalid value: -1: must be greater than or equal to 0'],
  ],
  [
    'events',
    { involvedObject: { kind: 'Pod', namespace: 'other', name: 'p' } },
    ['involvedObject.namespace: Invalid value: "other": does not match event.namespace'],
  ],
  [
    'endpoints',
    { subsets: [{}] },
    ['subsets[0]: Required value: must specify `addresses` or `notReadyAddresses`'],
  ],
  [
    'endpoints',
    { subsets: [{ addresses: [{ ip: 'x' }] }] },
    [`subsets[0].addresses[0].ip: Invalid value: "x": ${ip}`],
  ],
  [
    'endpoints',
    { subsets: [{ addresses: [{ ip: '127.0.0.1' }] }] },
    [
      'subsets[0].addresses[0].ip: Invalid value: "127.0.0.1": may not be in the loopback range (127.0.0.0/8, ::1/128)',
    ],
  ],
  [
    'endpoints',
    { subsets: [{ addresses: [{ ip: '192.0.2.1' }], ports: [{ port: 0 }] }] },
    [`subsets[0].ports[0].port: Invalid value: 0: ${port}`],
  ],
  ['endpointslices', { endpoints: [] }, ['addressType: Required value']],
  [
    'endpointslices',
    { addressType: 'IPX', endpoints: [] },
    ['addressType: Unsupported value: "IPX": supported values: "FQDN", "IPv4", "IPv6"'],
  ],
  [
    'endpointslices',
    { addressType: 'IPv4', endpoints: [{ addresses: [] }] },
    ['endpoints[0].addresses: Required value: must contain at least 1 address'],
  ],
  [
    'endpointslices',
    { addressType: 'IPv4', endpoints: [], ports: [{ port: 1 }, { port: 2 }] },
    ['ports[1].name: Duplicate value: ""'],
  ],
  [
    'certificatesigningrequests',
    { spec: { ...csr, request: b64('x') } },
    [`spec.request: Invalid value: "${b64('x')}": PEM block type must be CERTIFICATE REQUEST`],
  ],
  [
    'certificatesigningrequests',
    { spec: { ...csr, usages: [] } },
    ['spec.usages: Required value: usages must be provided'],
  ],
  [
    'certificatesigningrequests',
    { spec: { ...csr, signerName: undefined } },
    ['spec.signerName: Required value: signerName must be provided'],
  ],
  [
    'certificatesigningrequests',
    { spec: { ...csr, signerName: 'kubernetes.io/legacy-unknown', usages: ['client auth', 'client auth'] } },
    [
      'spec.usages[1]: Duplicate value: "client auth"',
      'spec.signerName: Invalid value: "kubernetes.io/legacy-unknown": the legacy signerName is not allowed via this API version',
    ],
  ],
  [
    'certificatesigningrequests',
    { spec: { ...csr, expirationSeconds: 5 } },
    [
      'spec.expirationSeconds: Invalid value: 5: may not specify a duration less than 600 seconds (10 minutes)',
    ],
  ],
];

t.test('what is refused, and in which words', async (t) => {
  for (const [kind, body, expected] of cases) {
    t.same(await causesOf(create(kind, body)), expected, `${kind} ${expected[0]?.slice(0, 80)}`);
  }
});

t.test('secrets and config maps: immutable ones, and the type of a secret', async (t) => {
  for (const kind of ['configmaps', 'secrets']) {
    await create(kind, { data: { a: 'YQ==' } }, context);
    await merge(kind, { data: { a: 'Yg==' } });
    await merge(kind, { immutable: true });
    const detail = 'Forbidden: field is immutable when `immutable` is set';
    t.same(await causesOf(merge(kind, { data: { a: 'Yw==' } })), [`data: ${detail}`]);
    t.same(await causesOf(merge(kind, { immutable: false })), [`immutable: ${detail}`]);
    t.same(await causesOf(merge(kind, { metadata: { labels: { a: 'b' } } })), [], 'labels are free');
  }
  t.same(await causesOf(merge('secrets', { type: 'other' })), [
    'type: Invalid value: "other": field is immutable',
  ]);
  const { object } = await registry.create(
    rowOf('secrets'),
    'default',
    { metadata: { name: 'b' }, stringData: { p: 'q' } },
    context,
  );
  t.match(object as KubeObject & { data: object }, { type: 'Opaque', data: { p: 'cQ==' } });
  t.notMatch(object, { stringData: /./ }, 'stringData becomes data');
});

t.test('nodes: register with status, keep their pod network', async (t) => {
  const { object } = await create('nodes', { status: { capacity: { cpu: '1' } } }, context);
  t.match(object as Node, { status: { capacity: { cpu: '1' } } });
  await merge('nodes', { spec: { podCIDR: '10.1.0.0/24', podCIDRs: ['10.1.0.0/24'] } });
  t.same(await causesOf(merge('nodes', { spec: { podCIDRs: ['10.2.0.0/24'] } })), [
    'spec.podCIDRs: Forbidden: node updates may not change podCIDR except from "" to valid',
  ]);
});

t.test('certificate requests: each writer has its part', async (t) => {
  const kind = 'certificatesigningrequests';
  const stranger = contextOf({
    user: { name: 'joe', groups: ['people'], uid: '7', extra: { scopes: ['a'] } },
  });
  const { object } = await create(
    kind,
    { spec: { ...csr, username: 'root', groups: ['system:masters'] }, status: { certificate: 'eA==' } },
    stranger,
  );
  t.match(
    object as CertificateSigningRequest,
    { spec: { username: 'joe', groups: ['people'], uid: '7', extra: { scopes: ['a'] } } },
    'who asks is who asks',
  );
  t.equal((object as CertificateSigningRequest).status?.certificate, undefined);
  const approved = { type: 'Approved', status: 'True', reason: 'r' };
  const certificate = b64((await createAuthority(new Date())).pair.cert);
  t.same(
    await causesOf(merge(kind, { status: { certificate, conditions: [approved] } }, 'status')),
    ['status.conditions: Forbidden: updates may not add a condition of type "Approved"'],
    'status does not decide',
  );
  await merge(kind, { status: { certificate } }, 'status');
  const decision = { certificate: 'eA==', conditions: [approved] };
  const noted = { annotations: { who: 'me' } };
  const decided = await merge(kind, { metadata: noted, spec: { usages: [] }, status: decision }, 'approval');
  t.match(decided.object as CertificateSigningRequest, {
    metadata: noted,
    spec: { usages: csr.usages },
    status: { certificate, conditions: [{ type: 'Approved', lastUpdateTime: /^2026/ }] },
  });
  t.same(
    await causesOf(
      merge(kind, { status: { certificate: b64((await createAuthority(new Date())).pair.cert) } }, 'status'),
    ),
    ['status.certificate: Forbidden: updates may not modify existing certificate content'],
  );
  const undecided = await causesOf(merge(kind, { status: { conditions: [] } }, 'approval'));
  t.same(undecided, ['status.conditions: Forbidden: updates may not remove a condition of type "Approved"']);
  const both = [approved, { type: 'Denied', status: 'True' }];
  t.same(await causesOf(merge(kind, { status: { conditions: both } }, 'approval')), [
    'status.conditions[1].type: Invalid value: "Denied": Approved and Denied conditions are mutually exclusive',
  ]);
  const changed = await merge(kind, {
    spec: { signerName: 'example.com/other' },
    metadata: { labels: { a: 'b' } },
  });
  t.match(changed.object as CertificateSigningRequest, {
    spec: { signerName: 'example.com/sign' },
    metadata: { labels: { a: 'b' } },
  });
});

t.test('endpoint slices: the address type stays', async (t) => {
  await create('endpointslices', { addressType: 'IPv4', endpoints: [] }, context);
  t.same(await causesOf(merge('endpointslices', { addressType: 'IPv6' })), [
    'addressType: Invalid value: "IPv6": field is immutable',
  ]);
});

t.test('events: the fields describe asks for', async (t) => {
  const about = {
    kind: 'Pod',
    namespace: 'default',
    name: 'p',
    uid: 'u1',
    fieldPath: 'spec.containers{main}',
  };
  await create(
    'events',
    { involvedObject: about, reason: 'Started', type: 'Normal', source: { component: 'kubelet' } },
    context,
  );
  const count = async (fieldSelector: string) =>
    (await registry.list(rowOf('events'), { fieldSelector }, context)).items.length;
  for (const selector of [
    'involvedObject.name=p,involvedObject.namespace=default,involvedObject.uid=u1,involvedObject.kind=Pod',
    'involvedObject.fieldPath=spec.containers{main}',
    'reason=Started,type=Normal',
    'type!=Warning',
    'source=kubelet',
  ])
    t.equal(await count(selector), 1, selector);
  t.equal(await count('type=Warning'), 0);
});
