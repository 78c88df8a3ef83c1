import t from 'tap';
import type { Endpoint, EndpointSlice, Service, ServiceSpec } from '../../src/api/types.js';
import type { Exec } from '../../src/host/exec.js';
import { silentLogger } from '../../src/host/log.js';
import { createFakeClock } from '../../src/testing/clock.js';
import { createTestSource } from '../testing/source.js';
import { type Outcome, type Packet, trace } from '../testing/trace.js';
import { leftoverFlows, staleFlows } from './conntrack.js';
import { firewallContract } from './contract.js';
import { createFakeFirewall } from './fake.js';
import { servicePortsOf, sliceIndexers } from './model.js';
import { cleanUpServices } from './removal.js';
import { renderService } from './rules.js';
import { createServiceProxy } from './sync.js';

const clusterCidr = '10.244.0.0/16';
const nodeIp = '192.168.1.10';
const local = [nodeIp, '10.244.1.1', '127.0.0.1'];
const podA = '10.244.1.5';
const podB = '10.244.2.6';
const client = '192.168.1.77';

const service = (spec: Partial<ServiceSpec> = {}, name = 'web'): Service => ({
  metadata: { name, namespace: 'default' },
  spec: { clusterIP: '10.96.0.10', ports: [{ name: 'http', port: 80, protocol: 'TCP' }], ...spec },
});

const endpoint = (address: string, extra: Partial<Endpoint> = {}): Endpoint => ({
  addresses: [address],
  nodeName: address.startsWith('10.244.1.') ? 'node-a' : 'node-b',
  conditions: { ready: true },
  ...extra,
});

const slice = (endpoints: Endpoint[], extra: Partial<EndpointSlice> = {}): EndpointSlice => ({
  metadata: { name: 'web-x', namespace: 'default', labels: { 'kubernetes.io/service-name': 'web' } },
  addressType: 'IPv4',
  ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
  endpoints,
  ...extra,
});

const both = [endpoint(podA), endpoint(podB)];

t.test('the fake keeps the contract of a firewall', async (t) => {
  const firewall = createFakeFirewall();
  await firewallContract(t, { firewall, flush: async () => firewall.flush('filter') });
});

t.test('model', async (t) => {
  const targets = (endpoints: Endpoint[]) => {
    const [port] = servicePortsOf(service(), [slice(endpoints)], 'node-a');
    return [port?.targets.map(({ address }) => address), port?.localTargets.map(({ address }) => address)];
  };
  const terminating = { conditions: { ready: false, serving: true, terminating: true } };
  t.same(targets(both), [[podA, podB], [podA]]);
  t.same(targets([endpoint(podA, { conditions: { ready: false } }), endpoint(podB)]), [[podB], []]);
  t.same(targets([endpoint(podA, { conditions: {} })]), [[podA], [podA]], 'absent conditions mean ready');
  t.same(targets([endpoint(podA, terminating), endpoint(podB)]), [[podB], [podA]], 'fallback per policy');
  t.same(
    targets([endpoint(podA, terminating)]),
    [[podA], [podA]],
    'terminating ones serve when none is ready',
  );
  t.same(targets([endpoint(podA, { conditions: { ready: false, serving: true } })]), [[], []]);
  const none = (spec: Partial<ServiceSpec>) => servicePortsOf(service(spec), [slice(both)], 'node-a').length;
  t.equal(none({ clusterIP: 'None' }), 0, 'headless');
  t.equal(none({ type: 'ExternalName', clusterIP: '' }), 0);
  t.equal(
    none({ clusterIP: 'fd00::1', clusterIPs: ['fd00::1', '10.96.0.9'] }),
    1,
    'the IPv4 of two families',
  );
  const moved = [slice([endpoint(podA, terminating)]), slice([endpoint(podA)], { metadata: { name: 'y' } })];
  t.same(servicePortsOf(service(), moved, 'node-a')[0]?.targets.length, 1, 'in two slices at once');
  t.equal(
    servicePortsOf(service({ type: 'ClusterIP', ports: [{ port: 1, nodePort: 30000 }] }), [], 'n')[0]
      ?.nodePort,
    0,
  );
});

t.test('text of one service', async (t) => {
  const spec: Partial<ServiceSpec> = {
    type: 'NodePort',
    ports: [{ name: 'http', port: 80, nodePort: 30080, protocol: 'TCP' }],
  };
  const rules = renderService(servicePortsOf(service(spec), [slice(both)], 'node-a'), clusterCidr);
  t.same(rules.services, [
    '-d 10.96.0.10/32 -p tcp -m tcp --dport 80 -m comment --comment "default/web:http" -j WHERRY-S-1254A29134B75069',
  ]);
  t.same(rules.nodePorts, [
    '-p tcp -m tcp --dport 30080 -m comment --comment "default/web:http" -j WHERRY-X-1254A29134B75069',
  ]);
  t.same(rules.reject, []);
  t.same(Object.fromEntries(rules.own), {
    'WHERRY-S-1254A29134B75069': [
      '! -s 10.244.0.0/16 -d 10.96.0.10/32 -j MARK --set-xmark 0x4000/0x4000',
      '-m statistic --mode random --probability 0.5000000000 -j WHERRY-E-D30BFA70ADD7E6F1',
      '-j WHERRY-E-B577715A019A90A9',
    ],
    'WHERRY-X-1254A29134B75069': ['-j MARK --set-xmark 0x4000/0x4000', '-j WHERRY-S-1254A29134B75069'],
    'WHERRY-E-D30BFA70ADD7E6F1': [
      '-s 10.244.1.5/32 -j MARK --set-xmark 0x4000/0x4000',
      '-p tcp -m tcp -j DNAT --to-destination 10.244.1.5:8080',
    ],
    'WHERRY-E-B577715A019A90A9': [
      '-s 10.244.2.6/32 -j MARK --set-xmark 0x4000/0x4000',
      '-p tcp -m tcp -j DNAT --to-destination 10.244.2.6:8080',
    ],
  });
});

/** Rules of one service in a firewall, as a real agent would have written them. */
async function rulesFor(spec: Partial<ServiceSpec>, endpoints: Endpoint[]) {
  const proxy = await startProxy();
  proxy.slices.put(slice(endpoints));
  proxy.services.put(service(spec));
  await proxy.settle();
  return { nat: await proxy.firewall.save('nat'), filter: await proxy.firewall.save('filter') };
}

async function startProxy() {
  const services = createTestSource<Service>();
  const slices = createTestSource<EndpointSlice>(sliceIndexers);
  const firewall = createFakeFirewall();
  const clock = createFakeClock();
  const conntrack: string[] = [];
  const exec: Exec = async (file, args) => {
    conntrack.push([file, ...args].join(' '));
    return {
      code: args[0] === '-L' ? 0 : 1,
      stdout: '',
      stderr: 'conntrack v1.4.7: 0 flow entries have been deleted.',
    };
  };
  const proxy = createServiceProxy({
    ...{ nodeName: 'node-a', clusterCidr, services, endpointSlices: slices },
    ...{ firewall, clock, log: silentLogger, exec },
  });
  await proxy.start(new AbortController().signal);
  const settle = () => clock.advance(1_000);
  await settle();
  t.teardown(() => proxy.stop());
  return { services, slices, firewall, clock, conntrack, proxy, settle };
}

const packet = (extra: Partial<Packet> = {}): Packet => ({
  ...{ source: podA, destination: '10.96.0.10', protocol: 'tcp', port: 80, local },
  ...extra,
});

const short = (outcomes: Outcome[]): string[] =>
  outcomes.map(({ verdict, destination, port, isMasqueraded, probability }) =>
    [verdict, `${destination}:${port}`, isMasqueraded ? 'masqueraded' : 'plain', probability.toFixed(2)].join(
      ' ',
    ),
  );

const nodePort: Partial<ServiceSpec> = {
  type: 'NodePort',
  ports: [{ name: 'http', port: 80, nodePort: 30080 }],
};

t.test('what happens to packets', async (t) => {
  const rules = await rulesFor(nodePort, both);
  t.same(
    short(trace(rules, packet({ source: '10.244.1.9' }))),
    ['accept 10.244.1.5:8080 plain 0.50', 'accept 10.244.2.6:8080 plain 0.50'],
    'a pod sees any endpoint, with its own address',
  );
  t.same(
    short(trace(rules, packet())),
    ['accept 10.244.1.5:8080 masqueraded 0.50', 'accept 10.244.2.6:8080 plain 0.50'],
    'hairpin',
  );
  t.same(
    short(trace(rules, packet({ source: nodeIp }))),
    ['accept 10.244.1.5:8080 masqueraded 0.50', 'accept 10.244.2.6:8080 masqueraded 0.50'],
    'the host',
  );
  t.same(
    short(trace(rules, packet({ source: client, destination: nodeIp, port: 30080 }))),
    ['accept 10.244.1.5:8080 masqueraded 0.50', 'accept 10.244.2.6:8080 masqueraded 0.50'],
    'a node port from outside',
  );
  t.equal(
    trace(rules, packet({ source: nodeIp, destination: nodeIp, port: 30080 })).length,
    2,
    'and from the host',
  );
  t.same(short(trace(rules, packet({ source: '127.0.0.1', destination: '127.0.0.1', port: 30080 }))), [
    'accept 127.0.0.1:30080 plain 1.00',
  ]);
  t.same(short(trace(rules, packet({ port: 81 }))), ['accept 10.96.0.10:81 plain 1.00'], 'another port');
  t.same(short(trace(rules, packet({ destination: podB, port: 8080 }))), [
    'accept 10.244.2.6:8080 plain 1.00',
  ]);
});

t.test('probabilities add up', async (t) => {
  const endpoints = Array.from({ length: 7 }, (_, index) => endpoint(`10.244.2.${index + 1}`));
  const outcomes = trace(await rulesFor({}, endpoints), packet());
  t.equal(outcomes.length, 7);
  for (const outcome of outcomes) t.ok(Math.abs(outcome.probability - 1 / 7) < 1e-6);
});

t.test('without endpoints', async (t) => {
  const rules = await rulesFor({ ...nodePort, externalIPs: ['203.0.113.1'] }, []);
  for (const target of [{}, { source: nodeIp }, { source: client, destination: nodeIp, port: 30080 }]) {
    t.match(short(trace(rules, packet(target))), [/^reject/]);
  }
  t.match(short(trace(rules, packet({ source: client, destination: '203.0.113.1' }))), [/^reject/]);
});

t.test('policy Local', async (t) => {
  const outer = { source: client, destination: nodeIp, port: 30080 };
  const external = await rulesFor({ ...nodePort, externalTrafficPolicy: 'Local' }, both);
  t.same(short(trace(external, packet(outer))), ['accept 10.244.1.5:8080 plain 1.00'], 'the client is seen');
  t.equal(trace(external, packet({ ...outer, source: '10.244.1.9' })).length, 2, 'a pod gets any');
  t.equal(trace(external, packet({ ...outer, source: nodeIp })).length, 2, 'so does the host');
  const elsewhere = await rulesFor({ ...nodePort, externalTrafficPolicy: 'Local' }, [endpoint(podB)]);
  t.match(short(trace(elsewhere, packet(outer))), [/^drop/]);
  t.match(short(trace(elsewhere, packet())), ['accept 10.244.2.6:8080 plain 1.00']);
  const internal = await rulesFor({ internalTrafficPolicy: 'Local' }, both);
  t.same(short(trace(internal, packet({ source: '10.244.1.9' }))), ['accept 10.244.1.5:8080 plain 1.00']);
  t.match(short(trace(await rulesFor({ internalTrafficPolicy: 'Local' }, [endpoint(podB)]), packet())), [
    /^drop/,
  ]);
});

t.test('load balancer, external addresses, affinity', async (t) => {
  const proxy = await startProxy();
  proxy.slices.put(slice(both));
  proxy.services.put({
    ...service({
      ...nodePort,
      type: 'LoadBalancer',
      externalIPs: ['203.0.113.1'],
      loadBalancerSourceRanges: ['192.168.0.0/16'],
    }),
    status: { loadBalancer: { ingress: [{ ip: '203.0.113.9' }, { ip: '203.0.113.10', ipMode: 'Proxy' }] } },
  });
  await proxy.settle();
  const rules = { nat: await proxy.firewall.save('nat'), filter: await proxy.firewall.save('filter') };
  const to = (source: string, destination: string) => short(trace(rules, packet({ source, destination })));
  t.equal(to(client, '203.0.113.9').length, 2);
  t.match(to('198.51.100.1', '203.0.113.9'), [/^drop/], 'outside the source ranges');
  t.equal(to('198.51.100.1', '203.0.113.1').length, 2, 'which do not concern external addresses');
  t.match(to(client, '203.0.113.10'), [/^accept 203/], 'ipMode Proxy is left to the load balancer');

  const sticky = await rulesFor({ sessionAffinity: 'ClientIP' }, both);
  const first = trace(sticky, packet({ source: '10.244.1.9' }));
  t.equal(first.length, 2);
  const list =
    /DNAT --to-destination 10\.244\.2\.6/.test(sticky.nat) &&
    /--name (\S+) --set --rsource -j DNAT --to-destination 10\.244\.2\.6/.exec(sticky.nat)?.[1];
  t.same(short(trace(sticky, packet({ source: '10.244.1.9', known: [String(list)] }))), [
    'accept 10.244.2.6:8080 plain 1.00',
  ]);
});

t.test('sync writes only what changed', async (t) => {
  const { services, slices, firewall, settle, proxy } = await startProxy();
  t.equal(proxy.healthy().ok, true);
  services.put(service());
  slices.put(slice(both));
  services.put(service({ clusterIP: '10.96.0.11' }, 'other'));
  await settle();
  const before = firewall.restored.length;
  t.equal(before, 2, 'a burst is one restore');
  slices.put(slice([endpoint(podA)]));
  await settle();
  const text = firewall.restored.at(-1) ?? '';
  t.equal(firewall.restored.length, before + 1);
  t.notMatch(text, /WHERRY-SERVICES|\*filter|10\.96\.0\.11/);
  t.match(text, /-X WHERRY-E-/);
  services.put(service({ clusterIP: '10.96.0.12' }, 'third'));
  await settle();
  const added = firewall.restored.at(-1) ?? '';
  t.match(added, /\*filter\n-I WHERRY-REJECT 1 .*\nCOMMIT\n/);
  t.match(added, /\n-I WHERRY-SERVICES 1 -d 10\.96\.0\.12\/32/, 'shared chains are edited');
  t.notMatch(added, /10\.96\.0\.11/);
  services.remove(service({}, 'third'));
  await settle();
  t.match(firewall.restored.at(-1), /\n-D WHERRY-SERVICES -d 10\.96\.0\.12\/32/);
  t.notMatch(await firewall.save('nat'), /10\.96\.0\.12/);
  const last = firewall.restored.length;
  slices.put(slice([endpoint(podA)], { metadata: { ...slice([]).metadata, resourceVersion: '7' } }));
  await settle();
  t.equal(firewall.restored.length, last, 'a change without meaning writes nothing');
});

t.test('a deleted service and an old agent leave nothing behind', async (t) => {
  const { services, slices, firewall, settle } = await startProxy();
  await firewall.restore(
    '*nat\n:WHERRY-OLD - [0:0]\n:WHERRY-NET-MASQ - [0:0]\n-A PREROUTING -j WHERRY-OLD\nCOMMIT\n',
  );
  services.put(service(nodePort));
  slices.put(slice(both));
  await settle();
  services.remove(service(nodePort));
  await settle();
  t.notMatch(await firewall.save('nat'), /WHERRY-[SELX]-/);
  await cleanUpServices(firewall);
  await cleanUpServices(firewall);
  const nat = await firewall.save('nat');
  t.match(nat, /WHERRY-NET-MASQ/, "the pod network's chains are not ours");
  t.notMatch(nat, /WHERRY-OLD|WHERRY-SERVICES|-j WHERRY/);
  t.notMatch(await firewall.save('filter'), /WHERRY/);
});

t.test('errors and flushes lead to a full write', async (t) => {
  const { services, slices, firewall, settle, proxy, clock } = await startProxy();
  services.put(service());
  slices.put(slice(both));
  await settle();
  const good = await firewall.save('nat');
  firewall.failNext('out of memory');
  slices.put(slice([endpoint(podB)]));
  await clock.advance(0);
  t.match(proxy.healthy(), { ok: false, reason: /out of memory/ });
  await clock.advance(120_000);
  t.equal(proxy.healthy().ok, true);
  t.match(firewall.restored.at(-1), /WHERRY-SERVICES/, 'everything');
  t.notMatch(await firewall.save('nat'), /10\.244\.1\.5/);
  slices.put(slice(both));
  await settle();
  firewall.flush('nat');
  await settle();
  t.equal(await firewall.save('nat').then(sorted), sorted(good));
});

const sorted = (text: string): string => text.split('\n').sort().join('\n');

t.test('stale UDP flows', async (t) => {
  const udp = { ports: [{ name: 'dns', port: 53, protocol: 'UDP', nodePort: 30053 }], type: 'NodePort' };
  const dns = (endpoints: Endpoint[]) =>
    slice(endpoints, { ports: [{ name: 'dns', port: 53, protocol: 'UDP' }] });
  const ports = (endpoints: Endpoint[]) => servicePortsOf(service(udp), [dns(endpoints)], 'node-a');
  t.same(staleFlows(ports(both), ports([endpoint(podA)])), [
    ['--orig-dst', '10.96.0.10', '--dst-nat', podB],
    ['--orig-port-dst', '30053', '--dst-nat', podB],
  ]);
  t.same(staleFlows(ports([]), ports([endpoint(podA)])), [
    ['--orig-dst', '10.96.0.10'],
    ['--orig-port-dst', '30053'],
  ]);
  t.same(staleFlows(ports(both), []).length, 4, 'the service is gone');
  t.same(staleFlows(servicePortsOf(service(), [slice(both)], 'n'), []), [], 'TCP is left alone');
  const entry = (destination: string, port: number, answer: string): string =>
    `udp 17 29 src=10.244.1.9 dst=${destination} sport=40053 dport=${port} [UNREPLIED] src=${answer} dst=10.244.1.9 sport=5353 dport=40053 mark=0 use=1`;
  const listed = [
    entry('10.96.0.10', 53, podA),
    entry('10.96.0.10', 53, '10.244.9.9'),
    entry('192.168.1.10', 30053, '10.244.9.8'),
    entry('8.8.8.8', 53, '10.244.9.9'),
  ].join('\n');
  t.same(leftoverFlows(listed, ports(both)), [
    ['--orig-dst', '10.96.0.10', '--orig-port-dst', '53', '--dst-nat', '10.244.9.9'],
    ['--orig-dst', '192.168.1.10', '--orig-port-dst', '30053', '--dst-nat', '10.244.9.8'],
  ]);
  const { services, slices, settle, conntrack } = await startProxy();
  services.put(service(udp));
  slices.put(dns(both));
  await settle();
  conntrack.length = 0;
  slices.put(dns([endpoint(podA)]));
  await settle();
  t.equal(conntrack[0], 'conntrack -D -f ipv4 -p udp --orig-dst 10.96.0.10 --dst-nat 10.244.2.6');
});
