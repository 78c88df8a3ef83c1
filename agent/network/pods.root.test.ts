import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import type { Node } from '../../src/api/types.js';
import { systemClock } from '../../src/host/clock.js';
import { run, runChecked } from '../../src/host/exec.js';
import { silentLogger } from '../../src/host/log.js';
import { createIptables } from '../services/iptables.js';
import { ask, connect, createNamespace, insideNamespace, serve, until } from '../testing/namespace.js';
import { createTestSource } from '../testing/source.js';
import { cleanUpNetwork } from './cleanup.js';
import type { PodSandbox } from './network.js';
import { createPodNetwork, networkPaths } from './pods.js';

const nodeName = 'node-a';
const nodeIp = '192.168.50.1';
const podCIDR = '10.244.1.0/24';

const snapshot = async (): Promise<string> => {
  const outputs = await Promise.all([
    run('iptables-save', []),
    run('ip', ['-o', 'link', 'show']),
    run('ip', ['route']),
    run('ip', ['rule']),
  ]);
  return outputs.map(({ stdout }) => stdout.replace(/^#.*$/gm, '').replace(/\[\d+:\d+\]/g, '')).join('\n');
};

if (await insideNamespace(t, import.meta.url)) {
  const dataDirectory = await mkdtemp(join(tmpdir(), 'wherry-network-'));
  const outside = await createNamespace();
  await connect(outside, 'up0', nodeIp, '192.168.50.9');
  // As Docker does.
  await runChecked('iptables-restore', [], {
    input: '*filter\n:FORWARD DROP [0:0]\nCOMMIT\n*nat\n:POSTROUTING ACCEPT [0:0]\nCOMMIT\n',
  });
  await runChecked('iptables', ['-t', 'nat', '-L', '-n']);
  const before = await snapshot();
  const signal = new AbortController().signal;
  const nodes = createTestSource<Node>();
  const firewall = createIptables({ clock: systemClock });
  const make = () =>
    createPodNetwork({
      ...{ nodeName, nodeIp, clusterCidr: '10.244.0.0/16', dataDirectory, nodes, firewall },
      ...{ clock: systemClock, log: silentLogger, confDirectory: join(dataDirectory, 'net.d') },
    });
  const network = make();
  await network.start(signal);
  const spaces = await Promise.all(Array.from({ length: 30 }, createNamespace));
  const sandboxOf = (index: number, portMappings: PodSandbox['portMappings'] = []): PodSandbox => ({
    id: `sandbox${index}`,
    podName: `pod-${index}`,
    podNamespace: 'default',
    podUid: `uid-${index}`,
    networkNamespace: spaces[index]?.path ?? '',
    portMappings,
  });

  await t.test('without a pod range it is not healthy and refuses', async (t) => {
    await until(() => !network.healthy().reason.startsWith('packet filter'));
    t.match(network.healthy(), { ok: false, reason: /spec\.podCIDR/ });
    await t.rejects(network.setUp(sandboxOf(0), signal), /has no pod range/);
  });

  nodes.put({ metadata: { name: nodeName }, spec: { podCIDR } });
  const web = sandboxOf(0, [{ hostPort: 8081, containerPort: 80, protocol: 'TCP', hostIP: '' }]);
  const { ips } = await network.setUp(web, signal);
  const other = await network.setUp(sandboxOf(1), signal);
  const address = ips[0] ?? '';
  const stopServer = await serve(spaces[0], { protocol: 'tcp', port: 80, name: 'web' });
  const stopOutside = await serve(outside, { protocol: 'tcp', port: 80, name: 'outside' });

  await t.test('pods reach each other unmasked, the host, and the outside masqueraded', async (t) => {
    t.match(address, /^10\.244\.1\./);
    t.equal(network.healthy().ok, true);
    t.equal(await ask(spaces[1], { protocol: 'tcp', address, port: 80 }), `web ${other.ips[0]}`);
    t.equal(await ask(undefined, { protocol: 'tcp', address, port: 80 }), 'web 10.244.1.1');
    t.equal(
      await ask(spaces[1], { protocol: 'tcp', address: '192.168.50.9', port: 80 }),
      `outside ${nodeIp}`,
    );
    t.equal(
      await ask(spaces[0], { protocol: 'tcp', address: '127.0.0.1', port: 80 }),
      'web 127.0.0.1',
      'lo is up',
    );
  });

  await t.test(
    'a host port leads to its pod, from outside, from a pod and from the pod itself',
    async (t) => {
      const target = { protocol: 'tcp', address: nodeIp, port: 8081 } as const;
      t.equal(await ask(outside, target), 'web 192.168.50.9');
      t.match(await ask(spaces[1], target), /^web /);
      t.match(await ask(spaces[0], target), /^web /);
      t.match(await ask(undefined, target), /^web /);
    },
  );

  await t.test(
    'set-up is idempotent, also for a new agent; a changed namespace is set up anew',
    async (t) => {
      t.same(await network.setUp(web, signal), { ips });
      const next = make();
      await next.start(signal);
      t.same(await next.setUp(web, signal), { ips });
      await next.stop();
      const replacement = await createNamespace();
      const moved = await network.setUp({ ...sandboxOf(1), networkNamespace: replacement.path }, signal);
      t.match(moved.ips[0], /^10\.244\.1\./);
      t.not(moved.ips[0], other.ips[0]);
      await network.tearDown({ ...sandboxOf(1), networkNamespace: replacement.path });
      await replacement.close();
    },
  );

  await t.test('a half done set-up of a killed agent is undone first', async (t) => {
    const file = join(networkPaths(dataDirectory).records, 'sandbox0.json');
    const record = JSON.parse(await readFile(file, 'utf8')) as Record<string, unknown>;
    const again = make();
    delete record['result'];
    await writeFile(file, JSON.stringify(record));
    await again.start(signal);
    const renewed = await again.setUp(web, signal);
    t.match(renewed.ips[0], /^10\.244\.1\./);
    t.match(await ask(outside, { protocol: 'tcp', address: nodeIp, port: 8081 }), /^web /);
    await again.stop();
  });

  await t.test('30 at once', async (t) => {
    const startedMs = systemClock.monotonicMs();
    const results = await Promise.all(
      spaces.slice(2).map((_, i) => network.setUp(sandboxOf(i + 2), new AbortController().signal)),
    );
    t.comment(`28 set-ups in parallel: ${(systemClock.monotonicMs() - startedMs).toFixed(0)} ms`);
    t.equal(new Set(results.flatMap((result) => result.ips)).size, 28, 'all addresses differ');
    await network.tearDown(sandboxOf(5));
    const aloneMs = systemClock.monotonicMs();
    await network.setUp(sandboxOf(5), signal);
    t.comment(`one alone: ${(systemClock.monotonicMs() - aloneMs).toFixed(1)} ms`);
    const againMs = systemClock.monotonicMs();
    await network.setUp(sandboxOf(5), signal);
    t.comment(`one that is set up already: ${(systemClock.monotonicMs() - againMs).toFixed(1)} ms`);
  });

  await t.test('tear-down and garbage collection give everything back', async (t) => {
    await network.tearDown(web);
    await network.tearDown(web);
    await spaces[2]?.close();
    await network.tearDown(sandboxOf(2));
    await network.tearDown({ ...sandboxOf(3), networkNamespace: '' });
    const fresh = make();
    await fresh.start(signal);
    await runChecked('ip', [
      'link',
      'add',
      'vethleak',
      'master',
      'wherry0',
      'type',
      'veth',
      'peer',
      'name',
      'leak1',
    ]);
    await fresh.collectGarbage(new Set(['sandbox4']));
    await fresh.stop();
    const left = await readdir(join(networkPaths(dataDirectory).ipam, 'wherry'));
    t.equal(left.filter((name) => /^[\d.]+$/.test(name)).length, 1);
    t.same(await readdir(networkPaths(dataDirectory).records), ['sandbox4.json']);
    t.notMatch((await run('ip', ['link'])).stdout, /vethleak/);
    t.notMatch((await run('iptables-save', ['-t', 'nat'])).stdout, /CNI-DN-/);
  });

  await t.test('clean-up leaves the host as it was, twice', async (t) => {
    await network.stop();
    await stopServer();
    for (const space of spaces) await space.close();
    await cleanUpNetwork({ dataDirectory, firewall });
    // The kernel takes its time over the devices of a namespace that has ended.
    await until(async () => (await snapshot()) === before).catch(() => t.comment('it is not'));
    t.equal(await snapshot(), before);
    await cleanUpNetwork({ dataDirectory, firewall });
    t.equal(await snapshot(), before);
    t.same(await readdir(dataDirectory), []);
  });
  await stopOutside();
  await outside.close();
  await rm(dataDirectory, { recursive: true });
}
