import t from 'tap';
import type { Node } from '../../src/api/types.js';
import { systemClock } from '../../src/host/clock.js';
import { type Exec, run, runChecked } from '../../src/host/exec.js';
import { silentLogger } from '../../src/host/log.js';
import { ask, connect, createNamespace, insideNamespace, ip, serve, until } from '../testing/namespace.js';
import { createTestSource } from '../testing/source.js';
import { createRoutes } from './router.js';

/** This namespace is host a (192.168.50.1); b is its neighbour; c is behind b, in another subnet. */
if (await insideNamespace(t, import.meta.url)) {
  const b = await createNamespace();
  const c = await createNamespace();
  await connect(b, 'up0', '192.168.50.1', '192.168.50.2');
  await ip(`route add default via 192.168.50.2\naddress add 10.244.1.1/32 dev lo\n`);
  const inB: Exec = (file, args, options) => run('nsenter', [...b.enter.slice(1), file, ...args], options);
  const inC: Exec = (file, args, options) => run('nsenter', [...c.enter.slice(1), file, ...args], options);
  await inB('ip', ['-batch', '-'], {
    input: `link add down0 type veth peer name eth0 netns ${c.pid}
      address add 192.168.60.2/24 dev down0
      link set down0 up
      address add 10.244.2.5/32 dev lo\n`,
  });
  await inB('sysctl', ['-w', 'net.ipv4.ip_forward=1']);
  await inC('ip', ['-batch', '-'], {
    input: `address add 192.168.60.3/24 dev eth0
      link set eth0 up
      route add default via 192.168.60.2
      address add 10.244.3.5/32 dev lo\n`,
  });
  const node = (name: string, podCIDR: string, address: string): Node => ({
    metadata: { name },
    spec: { podCIDR },
    status: { addresses: [{ type: 'InternalIP', address }] },
  });
  const nodes = createTestSource<Node>();
  const nodeA = node('a', '10.244.1.0/24', '192.168.50.1');
  const nodeB = node('b', '10.244.2.0/24', '192.168.50.2');
  const nodeC = node('c', '10.244.3.0/24', '192.168.60.3');
  for (const each of [nodeA, nodeB, nodeC]) nodes.put(each);
  const shared = { nodes, clock: systemClock, log: silentLogger };
  const routers = [
    createRoutes({ ...shared, nodeName: 'a', nodeIp: () => '192.168.50.1' }),
    createRoutes({ ...shared, nodeName: 'b', nodeIp: () => '192.168.50.2', exec: inB }),
    createRoutes({ ...shared, nodeName: 'c', nodeIp: () => '192.168.60.3', exec: inC }),
  ];
  const signal = new AbortController().signal;
  const ours = async (exec: Exec = run): Promise<string> =>
    (await exec('ip', ['route', 'show', 'proto', '119'])).stdout;
  await ip('route add 10.7.0.0/24 via 192.168.50.2\n');
  for (const router of routers) await router.start(signal);
  await until(async () => (await ours()).includes('10.244.3.0') && (await ours(inC)).includes('10.244.1.0'));
  const stops = [
    await serve(b, { protocol: 'tcp', port: 80, name: 'b' }),
    await serve(c, { protocol: 'tcp', port: 80, name: 'c' }),
  ];

  await t.test('a neighbour by a plain route, a distant node by VXLAN', async (t) => {
    t.match(await ours(), /10\.244\.2\.0\/24 via 192\.168\.50\.2 dev up0/);
    t.match(await ours(), /10\.244\.3\.0\/24 via 10\.244\.3\.0 dev wherry\.1 onlink/);
    t.equal(await ask(undefined, { protocol: 'tcp', address: '10.244.2.5', port: 80 }), 'b 192.168.50.1');
    t.equal(await ask(undefined, { protocol: 'tcp', address: '10.244.3.5', port: 80 }), 'c 10.244.1.0');
  });

  await t.test('a node that goes takes its route with it, others are untouched', async (t) => {
    nodes.remove(nodeC);
    await until(async () => !(await ours()).includes('10.244.3.0'));
    await until(async () => (await run('ip', ['link', 'show', 'dev', 'wherry.1'])).code !== 0);
    t.match(await ours(), /10\.244\.2\.0/);
    t.match((await runChecked('ip', ['route'])).stdout, /10\.7\.0\.0\/24/);
    nodes.put(nodeC);
    await until(async () => (await ours()).includes('10.244.3.0'));
  });

  for (const router of routers) await router.stop();
  for (const stop of stops) await stop();
  await b.close();
  await c.close();
}
