import t from 'tap';
import type { Ingress, KubeObject, NetworkPolicy } from '../../../src/api/types.js';
import { createFakeClock } from '../../../src/testing/clock.js';
import { causesOf, contextOf, createTestRegistry } from '../testing.js';
import { validCidr } from './names.js';

const { registry, rowOf, store } = await createTestRegistry({ clock: createFakeClock() });
const rowAt = (apiVersion: string, resource: string) => {
  const [group = '', version = ''] = apiVersion.split('/');
  const row = registry.resources.at(group, version, resource);
  if (!row) throw new Error(`no ${resource} in ${apiVersion}`);
  return row;
};
const create = (kind: string, body: object, context = contextOf({ dryRun: true })) =>
  registry.create(
    rowOf(kind),
    rowOf(kind).type.namespaced ? 'default' : undefined,
    { metadata: { name: 'a' }, ...body },
    context,
  );
const merge = (kind: string, name: string, body: object) =>
  registry.patch(
    rowOf(kind),
    rowOf(kind).type.namespaced ? { namespace: 'default', name } : { name },
    { type: 'merge', body },
    contextOf(),
  );

const service = (port: object, name = 'web') => ({ service: { name, port } });
const ingress = (path: object) => ({
  spec: {
    rules: [
      { http: { paths: [{ path: '/', pathType: 'Prefix', backend: service({ number: 80 }), ...path }] } },
    ],
  },
});
const at = 'spec.rules[0].http.paths[0]';
const policy = (spec: object) => ({ spec: { podSelector: {}, ...spec } });
const peer = (one: object) => policy({ ingress: [{ from: [one] }] });
const port = (one: object) => policy({ ingress: [{ ports: [one] }] });
const range = 'must be between 1 and 65535, inclusive';

const cases: [string, object, string[]][] = [
  [
    'ingresses',
    { spec: {} },
    ['spec: Invalid value: null: either `defaultBackend` or `rules` must be specified'],
  ],
  ['ingresses', ingress({ pathType: '' }), [`${at}.pathType: Required value: pathType must be specified`]],
  [
    'ingresses',
    ingress({ pathType: 'Glob' }),
    [
      `${at}.pathType: Unsupported value: "Glob": supported values: "Exact", "ImplementationSpecific", "Prefix"`,
    ],
  ],
  ['ingresses', ingress({ path: 'a' }), [`${at}.path: Invalid value: "a": must be an absolute path`]],
  [
    'ingresses',
    ingress({ path: '/a//b/..' }),
    [
      `${at}.path: Invalid value: "/a//b/..": must not contain '//'`,
      `${at}.path: Invalid value: "/a//b/..": cannot end with '/..'`,
    ],
  ],
  ['ingresses', ingress({ pathType: 'ImplementationSpecific', path: '' }), []],
  [
    'ingresses',
    ingress({ backend: {} }),
    [`${at}.backend: Invalid value: "": resource or service backend is required`],
  ],
  [
    'ingresses',
    ingress({ backend: { ...service({ number: 1 }), resource: { kind: 'K', name: 'n' } } }),
    [`${at}.backend: Invalid value: "": cannot set both resource and service backends`],
  ],
  [
    'ingresses',
    ingress({ backend: service({}) }),
    [`${at}.backend: Required value: port name or number is required`],
  ],
  [
    'ingresses',
    ingress({ backend: service({ number: 99999 }) }),
    [`${at}.backend.service.port.number: Invalid value: 99999: ${range}`],
  ],
  [
    'ingresses',
    ingress({ backend: service({ name: 'a', number: 1 }) }),
    [`${at}.backend: Invalid value: "": cannot set both port name & port number`],
  ],
  [
    'ingresses',
    { spec: { defaultBackend: service({ number: 80 }, '') } },
    ['spec.defaultBackend.service.name: Required value'],
  ],
  [
    'ingresses',
    { spec: { rules: [{ host: '10.0.0.1' }] } },
    ['spec.rules[0].host: Invalid value: "10.0.0.1": must be a DNS name, not an IP address'],
  ],
  ['ingresses', { spec: { rules: [{ host: '*.example.com' }], tls: [{ hosts: ['*.example.com'] }] } }, []],
  [
    'ingresses',
    {
      metadata: { name: 'a', annotations: { 'kubernetes.io/ingress.class': 'x' } },
      spec: { ingressClassName: 'x', defaultBackend: service({ number: 80 }) },
    },
    [
      'annotations.kubernetes.io/ingress.class: Invalid value: "x": can not be set when the class field is also set',
    ],
  ],
  ['ingressclasses', { spec: {} }, ['spec.controller: Required value']],
  [
    'ingressclasses',
    { spec: { controller: 'nginx' } },
    ['spec.controller: Invalid value: "nginx": must be a domain-prefixed path (such as "acme.io/foo")'],
  ],
  [
    'ingressclasses',
    { spec: { controller: 'a.io/b', parameters: { kind: 'K', name: 'n', scope: 'Namespace' } } },
    ["spec.parameters.namespace: Required value: `parameters.scope` is set to 'Namespace'"],
  ],
  [
    'ingressclasses',
    { spec: { controller: 'a.io/b', parameters: { kind: 'K', name: 'n', namespace: 'x' } } },
    ["spec.parameters.namespace: Forbidden: `parameters.scope` is set to 'Cluster'"],
  ],
  ['networkpolicies', peer({}), ['spec.ingress[0].from[0]: Required value: must specify a peer']],
  [
    'networkpolicies',
    peer({ podSelector: {}, ipBlock: { cidr: '10.0.0.0/8' } }),
    ['spec.ingress[0].from[0]: Forbidden: may not specify both ipBlock and another peer'],
  ],
  [
    'networkpolicies',
    peer({ ipBlock: { cidr: '10.0.0.0' } }),
    [`spec.ingress[0].from[0].ipBlock.cidr: Invalid value: "10.0.0.0": ${validCidr}`],
  ],
  [
    'networkpolicies',
    peer({ ipBlock: { cidr: '10.0.0.0/8', except: ['10.0.0.0/8', '10.1.0.0/16'] } }),
    [
      'spec.ingress[0].from[0].ipBlock.except[0]: Invalid value: "10.0.0.0/8": must be a strict subset of `cidr`',
    ],
  ],
  [
    'networkpolicies',
    port({ protocol: 'ICMP' }),
    ['spec.ingress[0].ports[0].protocol: Unsupported value: "ICMP": supported values: "TCP", "UDP", "SCTP"'],
  ],
  [
    'networkpolicies',
    port({ port: 80, endPort: 70 }),
    ['spec.ingress[0].ports[0].endPort: Invalid value: 80: must be greater than or equal to `port`'],
  ],
  [
    'networkpolicies',
    port({ endPort: 70 }),
    [
      'spec.ingress[0].ports[0].endPort: Invalid value: 70: may not be specified when `port` is not specified',
    ],
  ],
  [
    'networkpolicies',
    policy({ policyTypes: ['Both'] }),
    ['spec.policyTypes[0]: Unsupported value: "Both": supported values: "Egress", "Ingress"'],
  ],
  [
    'ipaddresses',
    { metadata: { name: '10.0.0.01' }, spec: {} },
    [
      'metadata.name: Invalid value: "10.0.0.01": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)',
      'spec.parentRef: Required value',
    ],
  ],
  [
    'ipaddresses',
    { metadata: { name: '10.0.0.1' }, spec: { parentRef: { resource: 'services' } } },
    ['spec.parentRef.name: Required value'],
  ],
  ['servicecidrs', { spec: {} }, ['spec.cidrs: Required value: at least one CIDR required']],
  [
    'servicecidrs',
    { spec: { cidrs: ['10.0.0.1/24'] } },
    ['spec.cidrs[0]: Invalid value: "10.0.0.1/24": must be in canonical form ("10.0.0.0/24")'],
  ],
  [
    'servicecidrs',
    { spec: { cidrs: ['10.0.0.0/24', '10.1.0.0/24'] } },
    [
      'spec.cidrs: Invalid value: ["10.0.0.0/24","10.1.0.0/24"]: may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64',
    ],
  ],
];

t.test('what is refused, and in which words', async (t) => {
  for (const [kind, body, expected] of cases)
    t.same(await causesOf(create(kind, body)), expected, `${kind} ${expected[0]?.slice(0, 80)}`);
});

t.test('defaults, warnings and what an update may not change', async (t) => {
  const { object } = await create('networkpolicies', port({ port: 80 }));
  t.match(object as NetworkPolicy, {
    metadata: { generation: 1 },
    spec: { policyTypes: ['Ingress'], ingress: [{ ports: [{ port: 80, protocol: 'TCP' }] }] },
  });
  const { object: outgoing } = await create('networkpolicies', policy({ egress: [{}] }));
  t.same((outgoing as NetworkPolicy).spec?.policyTypes, ['Ingress', 'Egress']);

  const context = contextOf({ dryRun: true });
  const metadata = { name: 'a', annotations: { 'kubernetes.io/ingress.class': 'x' } };
  await create('ingresses', { metadata, ...ingress({}) }, context);
  t.same(context.warnings, [
    `annotation "kubernetes.io/ingress.class" is deprecated, please use 'spec.ingressClassName' instead`,
  ]);

  await create('ingressclasses', { spec: { controller: 'a.io/b' } }, contextOf());
  t.same(await causesOf(merge('ingressclasses', 'a', { spec: { controller: 'a.io/c' } })), [
    'spec.controller: Invalid value: "a.io/c": field is immutable',
  ]);
  await create('servicecidrs', { spec: { cidrs: ['10.0.0.0/24'] } }, contextOf());
  t.same(await causesOf(merge('servicecidrs', 'a', { spec: { cidrs: ['10.1.0.0/24'] } })), [
    'spec.cidrs: Invalid value: ["10.1.0.0/24"]: field is immutable',
  ]);
});

t.test('an Ingress in its old versions is the one of v1', async (t) => {
  const old = {
    metadata: { name: 'old' },
    spec: {
      backend: { serviceName: 'other', servicePort: 'http' },
      rules: [
        {
          host: 'a.example.com',
          http: { paths: [{ path: '/x', backend: { serviceName: 'web', servicePort: 80 } }] },
        },
      ],
    },
  };
  const beta = rowAt('networking.k8s.io/v1beta1', 'ingresses');
  const extensions = rowAt('extensions/v1beta1', 'ingresses');
  const context = contextOf();
  await registry.create(
    extensions,
    'default',
    { apiVersion: 'extensions/v1beta1', kind: 'Ingress', ...old },
    context,
  );
  const ref = { namespace: 'default', name: 'old' };
  const stored = (await registry.get(rowOf('ingresses'), ref, context)).object as Ingress;
  t.match(stored, { apiVersion: 'networking.k8s.io/v1', kind: 'Ingress', metadata: { generation: 1 } });
  t.same(stored.spec, {
    defaultBackend: service({ name: 'http' }, 'other'),
    rules: [
      {
        host: 'a.example.com',
        http: {
          paths: [{ path: '/x', pathType: 'ImplementationSpecific', backend: service({ number: 80 }) }],
        },
      },
    ],
  });
  const shown = (await registry.get(beta, ref, context)).object as KubeObject & { spec: object };
  t.equal(shown.apiVersion, 'networking.k8s.io/v1beta1');
  t.match(shown.spec, old.spec);
  const keys: string[] = [];
  for (const { key } of (await store.range('/', {})).entries) if (key.includes('ingress')) keys.push(key);
  t.equal(keys.filter((key) => key.endsWith('/old')).length, 1, 'stored once');

  const wrong = (spec: object) =>
    causesOf(
      registry.create(beta, 'default', { metadata: { name: 'w' }, spec }, contextOf({ dryRun: true })),
    );
  t.same(await wrong({}), ['spec: Invalid value: null: either `backend` or `rules` must be specified']);
  t.same(await wrong({ backend: { serviceName: 'a', servicePort: 99999 } }), [
    `spec.backend.servicePort: Invalid value: 99999: ${range}`,
  ]);
  t.same(await wrong({ backend: { servicePort: 80 } }), ['spec.backend.serviceName: Required value']);
  const backend = { serviceName: 'a', servicePort: 80 };
  t.same(await wrong({ backend, tls: [{ secretName: 'A_B' }] }), [], 'as old as the field');
});
