import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import type { Node } from '../../src/api/types.js';
import type { Exec } from '../../src/host/exec.js';
import { addressesOf, createCni, pluginInput } from './cni.js';
import { defaultNetwork, leavesOnlyAddresses, loadNetworkConfig, parseNetworkConfig } from './conflist.js';
import { parseLocalAddresses } from './namespace.js';
import { createRecords } from './records.js';
import { batchesOf } from './router.js';
import { type Observed, type Peer, peersOf, planRoutes, type VxlanState } from './routes.js';
import { applySysctls, restoreSysctls } from './sysctl.js';

const attachment = {
  containerId: 'abc',
  networkNamespace: '/proc/7/ns/net',
  interfaceName: 'eth0',
  args: { IgnoreUnknown: '1', K8S_POD_NAME: 'web' },
  portMappings: [{ hostPort: 80, containerPort: 8080, protocol: 'TCP', hostIP: '10.0.0.1' } as const],
};

t.test('network configurations', async (t) => {
  const options = { bridge: 'b0', podCidr: '10.1.0.0/24', ipamDirectory: '/x', mtuBytes: 1450 };
  t.same(
    defaultNetwork(options, []).plugins.map((plugin) => plugin.type),
    ['bridge'],
  );
  t.same(
    defaultNetwork(options, attachment.portMappings).plugins.map((plugin) => plugin.type),
    ['bridge', 'portmap'],
  );
  t.equal(leavesOnlyAddresses(defaultNetwork(options, []), '/x'), true);
  t.equal(leavesOnlyAddresses(defaultNetwork(options, attachment.portMappings), '/x'), false, 'rules');
  t.equal(leavesOnlyAddresses(defaultNetwork(options, []), '/y'), false, 'addresses of another agent');
  t.equal(leavesOnlyAddresses({ ...defaultNetwork(options, []), name: 'other' }, '/x'), false);
  t.match(parseNetworkConfig('{"name":"n","type":"ptp","cniVersion":"0.4.0"}', 'f'), {
    name: 'n',
    plugins: [{ type: 'ptp' }],
  });
  t.throws(() => parseNetworkConfig('{', 'a.conf'), /a\.conf: not JSON/);
  t.throws(() => parseNetworkConfig('{"type":"x"}', 'f'), /name is missing/);
  t.throws(() => parseNetworkConfig('{"name":"n","cniVersion":"9"}', 'f'), /cniVersion 9/);
  t.throws(() => parseNetworkConfig('{"name":"n","plugins":[{"type":"../x"}]}', 'f'), /plugins must be/);
  const directory = await mkdtemp(join(tmpdir(), 'wherry-cni-'));
  t.equal(await loadNetworkConfig(directory), undefined);
  t.equal(await loadNetworkConfig(join(directory, 'none')), undefined);
  await writeFile(join(directory, '20-b.conf'), '{"name":"b","type":"ptp"}');
  await writeFile(join(directory, '10-a.conflist'), '{"name":"a","plugins":[{"type":"ptp"}]}');
  await writeFile(join(directory, '00-readme.txt'), '');
  t.equal((await loadNetworkConfig(directory))?.name, 'a', 'the first by name');
  await rm(directory, { recursive: true });
});

t.test('plugins are run in order with the result of the one before, and in reverse for DEL', async (t) => {
  const calls: { type: string; command: string; input: Record<string, unknown> }[] = [];
  const exec: Exec = async (file, _args, { input = '', env = {} } = {}) => {
    calls.push({ type: file, command: env['CNI_COMMAND'] ?? '', input: JSON.parse(input) });
    t.equal(env['CNI_ARGS'], 'IgnoreUnknown=1;K8S_POD_NAME=web');
    return {
      code: 0,
      stdout: `{"cniVersion":"1.0.0","ips":[{"address":"10.1.0.${calls.length}/24"}]}`,
      stderr: '',
    };
  };
  const directory = await mkdtemp(join(tmpdir(), 'wherry-cni-'));
  for (const name of ['one', 'two']) await writeFile(join(directory, name), '', { mode: 0o755 });
  const cni = createCni({ exec, pluginDirectories: ['/nowhere', directory] });
  const network = {
    cniVersion: '1.0.0',
    name: 'n',
    plugins: [{ type: 'one' }, { type: 'two', capabilities: { portMappings: true } }],
  };
  const result = await cni.add(network, attachment);
  t.same(addressesOf(result), ['10.1.0.2']);
  t.match(calls[1]?.input, {
    name: 'n',
    prevResult: { ips: [{ address: '10.1.0.1/24' }] },
    runtimeConfig: {
      portMappings: [{ hostPort: 80, containerPort: 8080, protocol: 'tcp', hostIP: '10.0.0.1' }],
    },
  });
  t.notOk(calls[1]?.input['capabilities'], 'capabilities are for the runtime only');
  await cni.del(network, attachment, result);
  t.same(
    calls.slice(2).map((call) => `${call.command} ${call.type.split('/').at(-1)}`),
    ['DEL two', 'DEL one'],
  );
  const old = { ...network, cniVersion: '0.3.1' };
  t.notOk(pluginInput(old, { type: 'one' }, attachment, undefined)['prevResult']);
  await t.rejects(cni.add({ ...network, plugins: [{ type: 'three' }] }, attachment), {
    message: `CNI plugin three failed to run: no such plugin in /nowhere, ${directory}`,
  });
  await rm(directory, { recursive: true });
});

t.test('an error is what the plugin says on stdout', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'wherry-cni-'));
  await writeFile(join(directory, 'one'), '', { mode: 0o755 });
  const answers = ['{"code":11,"msg":"busy","details":"try later"}', 'garbage'];
  const exec: Exec = async () => ({ code: 1, stdout: answers.shift() ?? '', stderr: '' });
  const cni = createCni({ exec, pluginDirectories: [directory] });
  const network = { cniVersion: '1.0.0', name: 'n', plugins: [{ type: 'one' }] };
  await t.rejects(cni.add(network, attachment), { code: 11, message: /failed to ADD: busy: try later/ });
  await t.rejects(cni.add(network, attachment), { code: 999, message: /garbage/ });
  await rm(directory, { recursive: true });
});

t.test('addresses of a namespace', async (t) => {
  const trie = `Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
     +-- 10.244.1.0/24 2 0 2
        |-- 10.244.1.0
           /24 link UNICAST
        |-- 10.244.1.5
           /32 host LOCAL
     |-- 127.0.0.1
        /32 host LOCAL`;
  t.same([...parseLocalAddresses(trie)], ['10.244.1.5', '127.0.0.1']);
});

t.test('sysctls are set once and put back', async (t) => {
  const root = await mkdtemp(join(tmpdir(), 'wherry-sysctl-'));
  const options = { root, stateFile: join(root, 'state.json') };
  await mkdir(join(root, 'net'));
  await writeFile(join(root, 'net/a'), '0\n');
  await writeFile(join(root, 'net/b'), '1\n');
  const wanted = { 'net/a': '1', 'net/b': '1' };
  await applySysctls(wanted, options);
  await applySysctls(wanted, options);
  t.equal(await readFile(join(root, 'net/a'), 'utf8'), '1');
  t.same(JSON.parse(await readFile(options.stateFile, 'utf8')), { 'net/a': '0' });
  await restoreSysctls(options);
  await restoreSysctls(options);
  t.equal(await readFile(join(root, 'net/a'), 'utf8'), '0');
  await rm(root, { recursive: true });
});

t.test('routes', async (t) => {
  const own = { podCidr: '10.244.1.0/24', nodeIp: '10.0.0.1', device: 'eth0', mtuBytes: 1500 };
  const near: Peer = { name: 'b', podCidr: '10.244.2.0/24', nodeIp: '10.0.0.2' };
  const far: Peer = { name: 'c', podCidr: '10.244.3.0/24', nodeIp: '10.9.0.3' };
  const direct = new Set(['10.0.0.2']);
  const nothing: Observed = { routes: [], vxlan: undefined, direct };
  const vxlan: VxlanState = {
    ...{ macAddress: '0a:58:0a:00:00:01', nodeIp: '10.0.0.1', device: 'eth0', mtuBytes: 1450, port: 8472 },
    addresses: ['10.244.1.0'],
    neighbours: new Map([['10.244.3.0', '0a:58:0a:09:00:03']]),
    forwarding: new Map([['0a:58:0a:09:00:03', '10.9.0.3']]),
  };
  const nearRoute = { dst: '10.244.2.0/24', gateway: '10.0.0.2', dev: 'eth0' };
  const farRoute = { dst: '10.244.3.0/24', gateway: '10.244.3.0', dev: 'wherry.1' };
  const plan = (peers: Peer[], observed: Observed): string[] =>
    planRoutes(own, peers, observed).map(({ tool, args }) => `${tool} ${args.join(' ')}`);

  t.same(plan([near], nothing), ['ip route replace 10.244.2.0/24 via 10.0.0.2 proto 119']);
  t.same(plan([near], { ...nothing, routes: [nearRoute] }), [], 'converged');
  t.same(plan([], { ...nothing, routes: [nearRoute] }), ['ip route delete 10.244.2.0/24 proto 119']);
  t.same(
    plan([{ ...near, nodeIp: '10.0.0.4' }], {
      ...nothing,
      routes: [nearRoute],
      direct: new Set(['10.0.0.4']),
    }),
    ['ip route replace 10.244.2.0/24 via 10.0.0.4 proto 119'],
    'the node has another address',
  );
  t.same(plan([far], nothing), [
    'ip link add wherry.1 address 0a:58:0a:00:00:01 mtu 1450 type vxlan id 1 local 10.0.0.1 dev eth0 dstport 8472 nolearning',
    'ip address add 10.244.1.0/32 dev wherry.1',
    'ip link set dev wherry.1 up',
    'ip neighbour replace 10.244.3.0 lladdr 0a:58:0a:09:00:03 dev wherry.1 nud permanent',
    'bridge fdb replace 0a:58:0a:09:00:03 dev wherry.1 dst 10.9.0.3',
    'ip route replace 10.244.3.0/24 via 10.244.3.0 dev wherry.1 onlink proto 119',
  ]);
  t.same(plan([near, far], { direct, vxlan, routes: [nearRoute, farRoute] }), [], 'both kinds, converged');
  t.same(
    plan([near], { direct, vxlan, routes: [nearRoute, farRoute] }),
    ['ip link delete dev wherry.1'],
    'the device goes with the last node that needs it, and its route with it',
  );
  t.match(
    plan([far], { direct, vxlan: { ...vxlan, mtuBytes: 1400 }, routes: [farRoute] }),
    [
      'ip link delete dev wherry.1',
      /^ip link add/,
      /^ip address/,
      /^ip link set/,
      /^ip neigh/,
      /^bridge/,
      /^ip route/,
    ],
    'made anew when it is not as wanted',
  );
  t.same(
    plan([{ ...far, nodeIp: '10.9.0.7' }], { direct, vxlan, routes: [farRoute] }),
    [
      'ip neighbour replace 10.244.3.0 lladdr 0a:58:0a:09:00:07 dev wherry.1 nud permanent',
      'bridge fdb replace 0a:58:0a:09:00:07 dev wherry.1 dst 10.9.0.7',
      'bridge fdb delete 0a:58:0a:09:00:03 dev wherry.1',
    ],
    'a distant node moved',
  );
  t.same(
    planRoutes({ ...own, podCidr: '' }, [near, far], nothing).length,
    1,
    'without an own pod range there is no VXLAN yet',
  );
  t.equal(batchesOf(planRoutes(own, [far, near], nothing)).length, 3);
});

t.test('peers are the other nodes that have all it takes', async (t) => {
  const node = (name: string, podCIDR: string | undefined, address: string): Node => ({
    metadata: { name },
    spec: { podCIDR },
    status: {
      addresses: [
        { type: 'Hostname', address: name },
        { type: 'InternalIP', address },
      ],
    },
  });
  const nodes = [
    node('a', '10.1.0.0/24', '1.1.1.1'),
    node('b', '10.1.1.0/24', '1.1.1.2'),
    node('c', undefined, '1.1.1.3'),
    node('d', '10.1.3.0/24', 'fd00::1'),
  ];
  t.same(peersOf(nodes, 'a'), [{ name: 'b', podCidr: '10.1.1.0/24', nodeIp: '1.1.1.2' }]);
});

t.test('a record that was begun when the agent died is found, and goes', async (t) => {
  const directory = t.testdir({ 'a.json': '{}', 'a.json.new': '{', 'b.json.new': '{', other: '' });
  const records = createRecords(directory);
  t.same((await records.list()).sort(), ['a', 'b']);
  t.equal(await records.read('b'), undefined);
  for (const id of ['a', 'b']) await records.remove(id);
  t.same(await readdir(directory), ['other']);
});
