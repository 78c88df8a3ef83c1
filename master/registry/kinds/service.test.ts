import t from 'tap';
import type { Service, ServiceSpec } from '../../../src/api/types.js';
import { createFakeClock } from '../../../src/testing/clock.js';
import type { Resource } from '../../resources/resource.js';
import { createRegistry } from '../generic.js';
import { contextOf, createTestRegistry } from '../testing.js';
import { createServiceAllocator, type ServiceRanges } from './serviceallocator.js';

const context = contextOf();
const dry = contextOf({ dryRun: true });
const wide: ServiceRanges = { serviceCidr: '10.96.0.0/12', nodePortRange: { from: 30000, to: 32767 } };
/** Six addresses, of which the API has one; three node ports. */
const narrow: ServiceRanges = { serviceCidr: '10.96.0.0/29', nodePortRange: { from: 30000, to: 30002 } };
const ports = [{ port: 80 }];
const nodePort: ServiceSpec = { type: 'NodePort', ports };

async function setUp(ranges: ServiceRanges = wide) {
  const clock = createFakeClock();
  const allocators = new Map([['services.', createServiceAllocator(ranges)]]) as never;
  const { registry, store, rowOf } = await createTestRegistry({ clock, allocators });
  const row = rowOf('services') as unknown as Resource<Service>;
  const ref = (name: string) => ({ namespace: 'default', name });
  return {
    registry,
    store,
    clock,
    row,
    add: async (name: string, spec: ServiceSpec = { ports }, given = context) =>
      (await registry.create(row, 'default', { metadata: { name }, spec }, given)).object,
    put: async (name: string, spec: ServiceSpec, given = context) =>
      (await registry.update(row, ref(name), { metadata: { name }, spec }, given)).object,
    patch: async (name: string, spec: object) =>
      (await registry.patch(row, ref(name), { type: 'merge', body: { spec } }, context)).object,
    remove: (name: string) => registry.delete(row, ref(name), {}, context),
  };
}

const addressOf = ({ spec }: Service): string => spec?.clusterIP ?? '';
const nodePortsOf = ({ spec }: Service): number[] => (spec?.ports ?? []).map((port) => port.nodePort ?? 0);

t.test('create: what a Service gets', async (t) => {
  const { add } = await setUp();
  const plain = await add('plain');
  t.match(plain.spec, {
    type: 'ClusterIP',
    clusterIP: /^10\.96\./,
    clusterIPs: [addressOf(plain)],
    ipFamilies: ['IPv4'],
    ipFamilyPolicy: 'SingleStack',
    sessionAffinity: 'None',
    internalTrafficPolicy: 'Cluster',
    ports: [{ port: 80, protocol: 'TCP', targetPort: 80 }],
  });
  t.same(nodePortsOf(plain), [0]);
  t.match((await add('headless', { ports, clusterIP: 'None' })).spec, {
    clusterIP: 'None',
    clusterIPs: ['None'],
  });
  const external = await add('external', { type: 'ExternalName', externalName: 'example.com' });
  t.equal(external.spec?.clusterIP, undefined);
  const [port = 0] = nodePortsOf(await add('open', nodePort));
  t.ok(port >= 30000 && port <= 32767);
  t.match(
    await add('fixed', { type: 'NodePort', clusterIP: '10.96.7.7', ports: [{ port: 80, nodePort: 30080 }] }),
    {
      spec: { clusterIP: '10.96.7.7', ports: [{ nodePort: 30080 }] },
    },
  );
  const dns = await add('dns', {
    type: 'NodePort',
    ports: [
      { name: 'udp', port: 53, protocol: 'UDP' },
      { name: 'tcp', port: 53, protocol: 'TCP' },
      { name: 'http', port: 80 },
    ],
  });
  const [udp, tcp, http] = nodePortsOf(dns);
  t.equal(udp, tcp, 'one number serves both protocols of a port');
  t.not(tcp, http);
});

t.test('create: what cannot be had is refused by its field', async (t) => {
  const { add } = await setUp();
  await add('first', { type: 'NodePort', clusterIP: '10.96.7.7', ports: [{ port: 80, nodePort: 30080 }] });
  const cases: [ServiceSpec, RegExp][] = [
    [
      { ports, clusterIP: '10.96.7.7' },
      /spec\.clusterIPs: Invalid value: \["10\.96\.7\.7"\]: failed to allocate IP 10\.96\.7\.7: provided IP is already allocated$/,
    ],
    [
      { ports, clusterIP: '10.96.0.1' },
      /failed to allocate IP 10\.96\.0\.1: provided IP is already allocated$/,
    ],
    [
      { ports, clusterIP: '192.0.2.1' },
      /spec\.clusterIPs: Invalid value: \["192\.0\.2\.1"\]: failed to allocate IP 192\.0\.2\.1: the provided IP \(192\.0\.2\.1\) is not in the valid range\. The range of valid IPs is 10\.96\.0\.0\/12$/,
    ],
    [
      { type: 'NodePort', ports: [{ port: 80, nodePort: 30080 }] },
      /spec\.ports\[0\]\.nodePort: Invalid value: 30080: provided port is already allocated$/,
    ],
    [
      { type: 'NodePort', ports: [{ port: 80, nodePort: 80 }] },
      /spec\.ports\[0\]\.nodePort: Invalid value: 80: provided port is not in the valid range\. The range of valid ports is 30000-32767$/,
    ],
  ];
  for (const [spec, message] of cases)
    await t.rejects(add('second', spec), { code: 422, message }, JSON.stringify(spec));
});

t.test('the Service of the API keeps the first address', async (t) => {
  const { registry, row, remove } = await setUp(narrow);
  const make = () =>
    registry.create(
      row,
      'default',
      { metadata: { name: 'kubernetes' }, spec: { ports, clusterIP: '10.96.0.1' } },
      context,
    );
  t.equal(addressOf((await make()).object), '10.96.0.1');
  await remove('kubernetes');
  const all = await Promise.allSettled(
    Array.from({ length: 7 }, (_, index) =>
      registry.create(row, 'default', { metadata: { name: `s${index}` }, spec: { ports } }, context),
    ),
  );
  const given = all.flatMap((one) => (one.status === 'fulfilled' ? [addressOf(one.value.object)] : []));
  t.same(
    given.sort(),
    ['10.96.0.2', '10.96.0.3', '10.96.0.4', '10.96.0.5', '10.96.0.6'],
    'nobody else gets it',
  );
  t.equal(addressOf((await make()).object), '10.96.0.1', 'it can be made again');
});

t.test('concurrent creates never share; a full range says so; deletion gives back', async (t) => {
  const { add, remove } = await setUp(narrow);
  const made = await Promise.all(['a', 'b', 'c'].map((name) => add(name, nodePort)));
  t.equal(new Set(made.map(addressOf)).size, 3);
  t.same(made.flatMap(nodePortsOf).sort(), [30000, 30001, 30002]);
  await t.rejects(add('d', nodePort), {
    code: 422,
    message: /spec\.ports\[0\]\.nodePort: Invalid value: 0: failed to allocate a nodePort/,
  });
  await add('d');
  await add('e');
  await t.rejects(add('f'), {
    code: 422,
    message: /spec\.clusterIPs: Invalid value: .*range 10\.96\.0\.0\/29 is full/,
  });
  await remove('b');
  t.same(nodePortsOf(await add('f', nodePort)), nodePortsOf(made[1] as Service));
});

t.test('what fails or only tries takes nothing', async (t) => {
  const { add, put } = await setUp(narrow);
  for (let round = 0; round < 10; round++) {
    await add('dry', nodePort, dry);
    await t.rejects(add('bad', { type: 'NodePort', ports: [{ port: 80 }, { port: 81 }] }), { code: 422 });
    await t.rejects(add('taken', { ...nodePort, clusterIP: '192.0.2.1' }), { code: 422 });
  }
  await add('a', nodePort);
  for (let round = 0; round < 10; round++) {
    await t.rejects(add('a', nodePort), { code: 409 });
    await put(
      'a',
      {
        type: 'NodePort',
        ports: [{ port: 80 }, { port: 81 }].map((port) => ({ ...port, name: `p${port.port}` })),
      },
      dry,
    );
  }
  const more = await Promise.all(['b', 'c'].map((name) => add(name, nodePort)));
  t.equal(more.length, 2, 'everything is still there to be had');
});

t.test('update: what is left out stays, what is set stays set', async (t) => {
  const { add, put, patch } = await setUp();
  const before = await add('a', nodePort);
  const after = await put('a', {
    type: 'NodePort',
    ports: [{ port: 80 }, { port: 81, name: 'b' }].map((port) => ({ name: 'a', ...port })),
  });
  t.equal(addressOf(after), addressOf(before));
  t.equal(nodePortsOf(after)[0], nodePortsOf(before)[0]);
  t.ok(nodePortsOf(after)[1], 'a new port gets its own');
  await t.rejects(patch('a', { clusterIP: '10.96.200.200' }), {
    code: 422,
    message: /spec\.clusterIPs\[0\]: Invalid value: \["10\.96\.200\.200"\]: may not change once set/,
  });
  const moved = await patch('a', { ports: [{ name: 'a', port: 80, nodePort: 31000 }] });
  t.same(nodePortsOf(moved), [31000]);
  t.same(
    nodePortsOf(await add('b', { type: 'NodePort', ports: [{ port: 1, nodePort: nodePortsOf(before)[0] }] })),
    nodePortsOf(before),
    'the old number is free',
  );
});

t.test('update: every change of type', async (t) => {
  const { add, patch, put } = await setUp(narrow);
  const before = await add('a', nodePort);
  const closed = await patch('a', { type: 'ClusterIP' });
  t.match(closed.spec, { type: 'ClusterIP', clusterIP: addressOf(before) });
  t.same(nodePortsOf(closed), [0]);
  t.equal(closed.spec?.externalTrafficPolicy, undefined, 'goes with what needed it');
  t.equal(
    (await Promise.all(['x', 'y', 'z'].map((name) => add(name, nodePort)))).length,
    3,
    'its number is free',
  );

  const named = await patch('a', { type: 'ExternalName', externalName: 'example.com' });
  t.same([named.spec?.clusterIP, named.spec?.clusterIPs], [undefined, undefined]);
  t.equal(
    addressOf(await add('b', { ports, clusterIP: addressOf(before) })),
    addressOf(before),
    'its address is free',
  );
  const back = await put('a', { type: 'ClusterIP', ports });
  t.match(back.spec, { clusterIP: /^10\.96\.0\.\d$/ });
  t.not(addressOf(back), addressOf(before));
});

t.test('start: what stored Services hold is taken', async (t) => {
  const { add, registry, store, clock, row } = await setUp(narrow);
  const made = await Promise.all(['a', 'b'].map((name) => add(name, nodePort)));
  const restarted = createRegistry({
    store,
    clock,
    resources: registry.resources,
    log: { child: () => undefined } as never,
    newUid: () => 'uid',
    allocators: new Map([['services.', createServiceAllocator(narrow)]]) as never,
  });
  await restarted.start(new AbortController().signal);
  const { object } = await restarted.create(
    row,
    'default',
    { metadata: { name: 'c' }, spec: nodePort },
    context,
  );
  t.notOk(made.map(addressOf).includes(addressOf(object)));
  t.notOk(made.flatMap(nodePortsOf).includes(nodePortsOf(object)[0] ?? 0));
});

t.test('validation', async (t) => {
  const { add } = await setUp();
  const named = (...more: object[]) =>
    more.map((port, index) => ({ name: `p${index}`, ...port })) as ServiceSpec['ports'] & object;
  const cases: [ServiceSpec, RegExp][] = [
    [{}, /spec\.ports: Required value$/],
    [
      { type: 'Public' as 'NodePort', ports },
      /spec\.type: Unsupported value: "Public": supported values: "ClusterIP", "ExternalName", "LoadBalancer", "NodePort"/,
    ],
    [
      { ports: [{ port: 0 }] },
      /spec\.ports\[0\]\.port: Invalid value: 0: must be between 1 and 65535, inclusive/,
    ],
    [
      { ports: [{ port: 80, targetPort: 70000 }] },
      /spec\.ports\[0\]\.targetPort: Invalid value: 70000: must be between 1 and 65535, inclusive/,
    ],
    [
      { ports: [{ port: 80, targetPort: 'http_' }] },
      /spec\.ports\[0\]\.targetPort: Invalid value: "http_": must contain only alpha-numeric/,
    ],
    [
      { ports: [{ port: 80, protocol: 'ICMP' }] },
      /spec\.ports\[0\]\.protocol: Unsupported value: "ICMP": supported values: "SCTP", "TCP", "UDP"/,
    ],
    [
      { ports: [{ port: 80 }, { port: 81 }] },
      /spec\.ports\[0\]\.name: Required value, spec\.ports\[1\]\.name: Required value/,
    ],
    [
      {
        ports: [
          { name: 'a', port: 80 },
          { name: 'a', port: 81 },
        ],
      },
      /spec\.ports\[1\]\.name: Duplicate value: "a"/,
    ],
    [
      { ports: named({ port: 80 }, { port: 80 }) },
      /spec\.ports\[1\]: Duplicate value: \{"Name":"","Protocol":"TCP","AppProtocol":null,"Port":80,"TargetPort":0,"NodePort":0\}/,
    ],
    [
      { ports: [{ port: 80, nodePort: 30000 }] },
      /spec\.ports\[0\]\.nodePort: Forbidden: may not be used when `type` is 'ClusterIP'/,
    ],
    [
      { ports, clusterIP: 'nonsense' },
      /spec\.clusterIPs\[0\]: Invalid value: "nonsense": must be a valid IP address/,
    ],
    [
      { type: 'NodePort', ports, clusterIP: 'None' },
      /spec\.clusterIPs\[0\]: Invalid value: "None": may not be set to 'None' for NodePort services/,
    ],
    [{ type: 'ExternalName' }, /spec\.externalName: Required value/],
    [
      { ports, sessionAffinity: 'Cookie' as 'None' },
      /spec\.sessionAffinity: Unsupported value: "Cookie": supported values: "ClientIP", "None"/,
    ],
    [
      { ports, externalTrafficPolicy: 'Local' },
      /spec\.externalTrafficPolicy: Invalid value: "Local": may only be set for externally-accessible services/,
    ],
    [
      { type: 'ExternalName', externalName: 'a.b', clusterIP: '10.96.0.9', ipFamilies: ['IPv4'] },
      /spec\.clusterIPs: Forbidden: may not be set for ExternalName services, spec\.ipFamilies: Forbidden/,
    ],
    [
      { ports, externalIPs: ['127.0.0.1'] },
      /spec\.externalIPs\[0\]: Invalid value: "127\.0\.0\.1": may not be in the loopback range/,
    ],
    [
      { ports, loadBalancerClass: 'a/b' },
      /spec\.loadBalancerClass: Forbidden: may only be used when `type` is 'LoadBalancer'/,
    ],
    [
      { type: 'LoadBalancer', ports, loadBalancerSourceRanges: ['10.0.0.1'] },
      /spec\.LoadBalancerSourceRanges\[0\]: Invalid value: "10\.0\.0\.1": must be a valid CIDR value/,
    ],
    [
      { ports, healthCheckNodePort: 30001 },
      /spec\.healthCheckNodePort: Invalid value: 30001: may only be set when `type` is 'LoadBalancer' and/,
    ],
    [
      { ports, trafficDistribution: 'Far' },
      /spec\.trafficDistribution: Unsupported value: "Far": supported values: "PreferClose", "PreferSameNode", "PreferSameZone"/,
    ],
    [
      { ports, ipFamilies: ['IPv6'] },
      /spec\.ipFamilies\[0\]: Invalid value: "IPv6": not configured on this cluster/,
    ],
    [
      { ports, ipFamilyPolicy: 'RequireDualStack' },
      /spec\.ipFamilyPolicy: Invalid value: "RequireDualStack": this cluster is not configured for dual-stack/,
    ],
    [{ ports, selector: { 'a b': 'c' } }, /spec\.selector: Invalid value: "a b": name part must consist of/],
  ];
  for (const [spec, message] of cases)
    await t.rejects(add('a', spec), { code: 422, message }, message.source);
  await t.rejects(add('1bad'), {
    code: 422,
    message: /metadata\.name: Invalid value: "1bad": a DNS-1035 label must consist of/,
  });
});

t.test('balancers: a health port for local traffic, modes of addresses, and what stays', async (t) => {
  const { add, patch, registry, row } = await setUp();
  const balanced = { type: 'LoadBalancer', ports, externalTrafficPolicy: 'Local' };
  const { spec } = await add('a', { ...balanced, loadBalancerClass: 'example.com/lb' });
  const port = spec?.healthCheckNodePort ?? 0;
  t.ok(port >= 30000 && port <= 32767 && port !== spec?.ports?.[0]?.nodePort);
  t.equal((await patch('a', { healthCheckNodePort: null })).spec?.healthCheckNodePort, port, 'kept');
  await t.rejects(patch('a', { healthCheckNodePort: port === 30000 ? 30001 : 30000 }), {
    message: /spec\.healthCheckNodePort: Forbidden: field is immutable/,
  });
  await t.rejects(patch('a', { loadBalancerClass: 'example.com/other' }), {
    message: /spec\.loadBalancerClass: Invalid value: "example\.com\/other": may not change once set/,
  });
  const status = (body: object) =>
    registry.patch(
      row,
      { namespace: 'default', name: 'a' },
      { type: 'merge', body: { status: body } },
      context,
      'status',
    );
  const { object } = await status({ loadBalancer: { ingress: [{ ip: '192.0.2.1' }] } });
  t.match(object.status, { loadBalancer: { ingress: [{ ip: '192.0.2.1', ipMode: 'VIP' }] } });
  await t.rejects(status({ loadBalancer: { ingress: [{ hostname: 'a_b' }] } }), {
    message: /status\.loadBalancer\.ingress\[0\]\.hostname: Invalid value: "a_b"/,
  });
  const free = await patch('a', { externalTrafficPolicy: 'Cluster' });
  t.equal(free.spec?.healthCheckNodePort, undefined);
});

t.test('warnings: fields that do nothing', async (t) => {
  const { add } = await setUp();
  const warned = contextOf();
  await add(
    'headless',
    { clusterIP: 'None', sessionAffinity: 'ClientIP', trafficDistribution: 'PreferClose' },
    warned,
  );
  t.same(warned.warnings, [
    'spec.SessionAffinity is ignored for headless services',
    'spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"',
  ]);
});
