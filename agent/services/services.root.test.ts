import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import type { EndpointSlice, Node, Service, ServiceSpec } from '../../src/api/types.js';
import { systemClock } from '../../src/host/clock.js';
import { run, runChecked } from '../../src/host/exec.js';
import { silentLogger } from '../../src/host/log.js';
import { cleanUpNetwork } from '../network/cleanup.js';
import { createPodNetwork } from '../network/pods.js';
import {
  ask,
  connect,
  createNamespace,
  hammer,
  insideNamespace,
  ip,
  serve,
  until,
} from '../testing/namespace.js';
import { createTestSource } from '../testing/source.js';
import { createIptables } from './iptables.js';
import { sliceIndexers } from './model.js';
import { cleanUpServices } from './removal.js';
import { createServiceProxy } from './sync.js';

const nodeIp = '192.168.50.1';
const outsideIp = '192.168.50.9';
const clusterCidr = '10.244.0.0/16';

const makeService = (name: string, spec: ServiceSpec): Service => ({
  metadata: { name, namespace: 'default' },
  spec,
});

function makeSlice(
  name: string,
  protocol: string,
  port: number,
  addresses: readonly string[],
): EndpointSlice {
  return {
    metadata: { name, namespace: 'default', labels: { 'kubernetes.io/service-name': name } },
    addressType: 'IPv4',
    ports: [{ port, protocol }],
    endpoints: addresses.map((address) => ({
      addresses: [address],
      nodeName: 'node-a',
      conditions: { ready: true },
    })),
  };
}

const saved = async (): Promise<string> =>
  (await run('iptables-save', [])).stdout.replace(/^#.*\n/gm, '').replace(/\[\d+:\d+\]/g, '');

if (await insideNamespace(t, import.meta.url)) {
  const dataDirectory = await mkdtemp(join(tmpdir(), 'wherry-services-'));
  const outside = await createNamespace();
  await connect(outside, 'up0', nodeIp, outsideIp);
  await ip(`route add default via ${outsideIp}\n`);
  await runChecked('iptables-restore', [], { input: '*filter\n:FORWARD DROP [0:0]\nCOMMIT\n' });
  await runChecked('iptables', ['-t', 'nat', '-A', 'POSTROUTING', '-s', '172.31.0.0/16', '-j', 'MASQUERADE']);
  const before = await saved();

  const signal = new AbortController().signal;
  const firewall = createIptables({ clock: systemClock, checkEveryMs: 100 });
  const nodes = createTestSource<Node>();
  nodes.put({ metadata: { name: 'node-a' }, spec: { podCIDR: '10.244.1.0/24' } });
  const shared = { nodeName: 'node-a', clusterCidr, firewall, clock: systemClock, log: silentLogger };
  const network = createPodNetwork({
    ...{ ...shared, nodeIp, dataDirectory, nodes, confDirectory: join(dataDirectory, 'net.d') },
  });
  await network.start(signal);
  const spaces = await Promise.all(Array.from({ length: 3 }, createNamespace));
  const addresses = await Promise.all(
    spaces.map(async ({ path }, index) => {
      const names = { id: `s${index}`, podName: `p${index}`, podNamespace: 'default', podUid: `u${index}` };
      const { ips } = await network.setUp({ ...names, networkNamespace: path, portMappings: [] }, signal);
      return ips[0] ?? '';
    }),
  );
  const [a = '', b = '', c = ''] = addresses;
  const services = createTestSource<Service>();
  const slices = createTestSource<EndpointSlice>(sliceIndexers);
  const makeProxy = () => createServiceProxy({ ...shared, services, endpointSlices: slices });
  let proxy = makeProxy();
  services.put(
    makeService('web', { type: 'NodePort', clusterIP: '10.96.0.10', ports: [{ port: 80, nodePort: 30080 }] }),
  );
  slices.put(makeSlice('web', 'TCP', 8080, [a, b]));
  services.put(
    makeService('dns', {
      ...{ type: 'NodePort', clusterIP: '10.96.0.11' },
      ports: [{ port: 53, nodePort: 30053, protocol: 'UDP' }],
    }),
  );
  slices.put(makeSlice('dns', 'UDP', 5353, [a]));
  services.put(
    makeService('empty', {
      type: 'NodePort',
      clusterIP: '10.96.0.12',
      ports: [{ port: 80, nodePort: 30081 }],
    }),
  );
  services.put(
    makeService('sticky', { clusterIP: '10.96.0.13', sessionAffinity: 'ClientIP', ports: [{ port: 80 }] }),
  );
  slices.put(makeSlice('sticky', 'TCP', 8080, [a, b]));
  await proxy.start(signal);
  await until(() => proxy.healthy().ok && network.healthy().ok);
  const stops = await Promise.all([
    ...spaces.map((space, index) => serve(space, { protocol: 'tcp', port: 8080, name: `pod${index}` })),
    ...spaces.map((space, index) => serve(space, { protocol: 'udp', port: 5353, name: `dns${index}` })),
  ]);
  const web = { protocol: 'tcp', address: '10.96.0.10', port: 80 } as const;
  const webNode = { protocol: 'tcp', address: nodeIp, port: 30080 } as const;

  await t.test('a cluster address from the host and from pods, hairpin included', async (t) => {
    t.match(await ask(undefined, web), /^pod[01] /);
    t.match(await ask(spaces[2], web), new RegExp(`^pod[01] ${c}$`), 'the pod sees its client');
    const answers = await Promise.all(Array.from({ length: 8 }, () => ask(spaces[0], web)));
    for (const answer of answers) t.match(answer, /^pod[01] /);
    slices.put(makeSlice('web', 'TCP', 8080, [a]));
    await until(async () => ((await saved()).match(/statistic/g) ?? []).length === 1);
    t.equal(await ask(spaces[0], web), 'pod0 10.244.1.1', 'a pod reaches itself');
    slices.put(makeSlice('web', 'TCP', 8080, [a, b]));
  });

  await t.test('a node port from outside, from the host and from a pod', async (t) => {
    t.match(await ask(outside, webNode), /^pod[01] /);
    t.match(await ask(undefined, webNode), /^pod[01] /);
    t.match(await ask(spaces[2], webNode), /^pod[01] /);
    t.match(
      await ask(spaces[2], { ...webNode, address: '10.244.1.1' }),
      /^pod[01] /,
      'on any address of the node',
    );
    t.equal(await ask(undefined, { ...webNode, address: '127.0.0.1' }), 'ECONNREFUSED', 'but for loopback');
  });

  await t.test('a service without endpoints refuses at once', async (t) => {
    const empty = { protocol: 'tcp', address: '10.96.0.12', port: 80 } as const;
    t.equal(await ask(undefined, empty), 'ECONNREFUSED');
    t.equal(await ask(spaces[2], empty), 'ECONNREFUSED');
    t.equal(await ask(outside, { ...webNode, port: 30081 }), 'ECONNREFUSED');
  });

  await t.test('an endpoint that is this node itself, as the API server is', async (t) => {
    services.put(makeService('api', { clusterIP: '10.96.0.1', ports: [{ port: 443 }] }));
    slices.put(makeSlice('api', 'TCP', 6443, [nodeIp]));
    const stop = await serve(undefined, { protocol: 'tcp', port: 6443, name: 'api' });
    await until(async () => (await saved()).includes(`${nodeIp}:6443`));
    const api = { protocol: 'tcp', address: '10.96.0.1', port: 443 } as const;
    t.match(await ask(undefined, api), /^api /);
    t.equal(await ask(spaces[2], api), `api ${c}`);
    await stop();
  });

  await t.test('session affinity', async (t) => {
    const target = { protocol: 'tcp', address: '10.96.0.13', port: 80 } as const;
    const answers = new Set<string>();
    for (let index = 0; index < 8; index += 1) answers.add(await ask(spaces[2], target));
    t.equal(answers.size, 1);
  });

  await t.test('UDP, and a flow that outlives its endpoint moves to the next', async (t) => {
    const dns = { protocol: 'udp', address: '10.96.0.11', port: 53, localPort: 40_053 } as const;
    const dnsNode = { protocol: 'udp', address: nodeIp, port: 30053, localPort: 40_054 } as const;
    t.equal(await ask(spaces[2], dns), `dns0 ${c}`);
    t.match(await ask(outside, dnsNode), /^dns0 /);
    slices.put(makeSlice('dns', 'UDP', 5353, [b]));
    await until(async () => !(await run('conntrack', ['-L', '-p', 'udp'])).stdout.includes(a));
    t.equal(await ask(spaces[2], dns), `dns1 ${c}`);
    t.match(await ask(outside, dnsNode), /^dns1 /);
    await proxy.stop();
    slices.put(makeSlice('dns', 'UDP', 5353, [c]));
    proxy = makeProxy();
    await proxy.start(signal);
    await until(async () => !(await run('conntrack', ['-L', '-p', 'udp'])).stdout.includes(b));
    t.match(await ask(outside, dnsNode), /^dns2 /, 'also when no agent ran while it changed');
    slices.put(makeSlice('dns', 'UDP', 5353, []));
    await until(async () => (await saved()).includes('WHERRY-REJECT -d 10.96.0.11'));
    t.equal(await ask(spaces[2], { ...dns, localPort: 40_055 }), 'ECONNREFUSED');
  });

  await t.test('an endpoint that leaves gets no new connection, and none fails', async (t) => {
    services.remove(makeService('sticky', {}));
    slices.put(makeSlice('web', 'TCP', 8080, [b]));
    const leftMs = systemClock.monotonicMs();
    await until(async () => !(await run('iptables-save', ['-t', 'nat'])).stdout.includes(`${a}:8080`));
    t.comment(`effective after at most ${(systemClock.monotonicMs() - leftMs).toFixed(0)} ms`);
    const answers = await Promise.all(Array.from({ length: 12 }, () => ask(outside, webNode)));
    t.same([...new Set(answers.map((answer) => answer.split(' ')[0]))], ['pod1']);
  });

  await t.test(
    'no connection fails while endpoints come and go and all rules are written anew',
    async (t) => {
      const { counts, stop } = hammer(outside, webNode);
      /** Until each of them has answered again. */
      const answering = async (...pods: string[]): Promise<void> => {
        const before = new Map(counts);
        await until(() => pods.every((pod) => (counts.get(pod) ?? 0) > (before.get(pod) ?? 0)));
      };
      for (const [present, pods] of [
        [
          [b, c],
          ['pod1', 'pod2'],
        ],
        [
          [a, b, c],
          ['pod0', 'pod1', 'pod2'],
        ],
        [
          [a, c],
          ['pod0', 'pod2'],
        ],
        [[a], ['pod0']],
      ] as const) {
        slices.put(makeSlice('web', 'TCP', 8080, present));
        await answering(...pods);
        await systemClock.sleep(100, signal);
      }
      await proxy.stop();
      proxy = makeProxy();
      await proxy.start(signal);
      await systemClock.sleep(300, signal);
      slices.put(makeSlice('web', 'TCP', 8080, [b]));
      await answering('pod1');
      await stop();
      t.comment(JSON.stringify([...counts]));
      t.same([...counts.keys()].sort(), ['pod0', 'pod1', 'pod2']);
    },
  );

  await t.test('flushed rules come back', async () => {
    for (const table of ['nat', 'filter']) await runChecked('iptables', ['-t', table, '-F']);
    await until(async () => /-A PREROUTING .*WHERRY-SERVICES/.test(await saved()));
    await until(async () => /^pod1 /.test(await ask(outside, webNode)));
    await until(async () => /-A POSTROUTING .*WHERRY-NET-MASQ/.test(await saved()));
    const refusalsComeFirst = async (): Promise<boolean> => {
      const { stdout } = await run('iptables', ['-S', 'FORWARD']);
      const at = stdout.indexOf('WHERRY-FORWARD');
      return at >= 0 && at < stdout.indexOf('WHERRY-NET-FORWARD');
    };
    await until(refusalsComeFirst);
    await runChecked('iptables', [
      '-t',
      'nat',
      '-A',
      'POSTROUTING',
      '-s',
      '172.31.0.0/16',
      '-j',
      'MASQUERADE',
    ]);
  });

  await t.test('clean-up leaves the rules as they were', async (t) => {
    await proxy.stop();
    await network.stop();
    for (const stop of stops) await stop();
    await cleanUpServices(firewall);
    await cleanUpServices(firewall);
    await cleanUpNetwork({ dataDirectory, firewall });
    t.equal(await saved(), before);
  });
  for (const space of [...spaces, outside]) await space.close();
  await rm(dataDirectory, { recursive: true });
}
