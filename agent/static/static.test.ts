import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { nodes as nodeType, pods as podType } from '../../src/api/kinds.js';
import type { Pod } from '../../src/api/types.js';
import { createInformer } from '../../src/client/informer.js';
import { silentLogger } from '../../src/host/log.js';
import { uidIndexers } from '../pods/pods.js';
import { createHarness, type Harness } from '../pods/testing/harness.js';
import { annotations } from './annotations.js';
import { createManifestFiles } from './files.js';
import { parseManifest } from './manifest.js';
import { createMirrors, toMirror } from './mirrors.js';
import { createNodePods, type NodePods } from './nodepods.js';
import { problemsOf, toStaticPod } from './staticpod.js';

const manifest = (name: string, image = 'app:1'): string =>
  `apiVersion: v1\nkind: Pod\nmetadata: {name: ${name}}\nspec:\n  containers: [{name: app, image: '${image}'}]\n`;
const where = {
  nodeName: 'Node-1',
  file: '/etc/wherry/manifests/a.yaml',
  seen: new Date('2026-01-01T00:00:00Z'),
};

t.test('manifests', async (t) => {
  const names = (text: string) => parseManifest(text).pods.map(({ metadata }) => metadata.name);
  t.same(names(`${manifest('a')}---\n${manifest('b')}---\n`), ['a', 'b']);
  t.same(names('{"apiVersion":"v1","kind":"Pod","metadata":{"name":"j"},"spec":{"containers":[]}}'), ['j']);
  t.same(names(`apiVersion: v1\nkind: PodList\nitems:\n- metadata: {name: l}\n  spec: {containers: []}\n`), [
    'l',
  ]);
  t.same(parseManifest('kind: Service\napiVersion: v1').problems, [
    'apiVersion "v1", kind "Service": not a v1 Pod',
  ]);
  t.match(parseManifest(`${manifest('a')}  foo: 1\n`).problems, [/pod "a": unknown field "spec.foo"/]);
  t.match(parseManifest(manifest('a').replace('name: app', 'name: 3')).problems, [
    /pod "a": spec.containers\[0\].name/,
  ]);
  t.equal(parseManifest('a: [').problems.length, 1);
});

t.test('a static pod', async (t) => {
  const [written] = parseManifest(manifest('web')).pods;
  if (!written) return t.fail('no pod');
  const pod = toStaticPod(written, where);
  t.match(pod, {
    metadata: {
      name: 'web-node-1',
      namespace: 'default',
      uid: /^[0-9a-f]{32}$/,
      annotations: { [annotations.hash]: pod.metadata.uid, [annotations.source]: 'file' },
    },
    spec: {
      nodeName: 'Node-1',
      restartPolicy: 'Always',
      tolerations: [{ operator: 'Exists', effect: 'NoExecute' }],
    },
  });
  t.equal(toStaticPod(written, { ...where, seen: new Date() }).metadata.uid, pod.metadata.uid);
  t.not(
    toStaticPod({ ...written, metadata: { name: 'web', labels: { a: 'b' } } }, where).metadata.uid,
    pod.metadata.uid,
  );
  t.same(problemsOf(pod), []);
  const refused = (spec: Partial<NonNullable<Pod['spec']>>): string[] =>
    problemsOf(
      toStaticPod({ ...written, spec: { containers: [{ name: 'a', image: 'b' }], ...spec } }, where),
    );
  t.same(refused({ serviceAccountName: 'x' }), ['static pods may not reference service accounts']);
  t.same(refused({ volumes: [{ name: 'a', secret: { secretName: 'x' } }] }), [
    'static pods may not reference secrets',
  ]);
  t.same(refused({ containers: [{ name: 'a', image: 'b', envFrom: [{ configMapRef: { name: 'x' } }] }] }), [
    'static pods may not reference configmaps',
  ]);
  t.same(refused({ volumes: [{ name: 'a', persistentVolumeClaim: { claimName: 'x' } }] }), [
    'static pods may not reference persistent volume claims',
  ]);
  t.match(refused({ containers: [{ name: 'A', image: '' }] }), [
    /^spec.containers\[0\].name/,
    /image: Required/,
  ]);
  const node = { metadata: { name: 'Node-1', uid: 'n1' } };
  t.match(toMirror(pod, node), {
    metadata: {
      annotations: { [annotations.mirror]: pod.metadata.uid },
      ownerReferences: [{ kind: 'Node', name: 'Node-1', uid: 'n1', controller: true }],
    },
  });
});

interface World extends Harness {
  manifests: string;
  problems: string[];
  nodePods(): NodePods;
  /** After writing files: as if the watch had told. */
  look(): Promise<void>;
}

/** Agent and files around the harness; each life begins with `begin`. */
async function createWorld(
  t: Parameters<typeof createHarness>[0],
): Promise<World & { begin(): Promise<void> }> {
  const h = await createHarness(t);
  const manifests = await mkdtemp(join(tmpdir(), 'wherry-manifests-'));
  const problems: string[] = [];
  let stopLife: () => Promise<void> = async () => undefined;
  let nodePods: NodePods | undefined;
  const { clock, client } = h;
  const world = Object.assign(h, {
    manifests,
    problems,
    nodePods() {
      if (!nodePods) throw new Error('no life');
      return nodePods;
    },
    look: () => clock.advance(20_000),
    async begin() {
      await stopLife();
      await h.stop();
      const abort = new AbortController();
      const shared = { client, clock, log: silentLogger };
      const assigned = createInformer({ ...shared, type: podType, indexers: uidIndexers });
      const nodes = createInformer({ ...shared, type: nodeType });
      const pods = createNodePods(assigned);
      nodePods = pods;
      const files = createManifestFiles({
        path: manifests,
        nodeName: 'node-1',
        clock,
        log: silentLogger,
        onPods: pods.setStatic,
        onProblem: (problem) => void problems.push(problem),
      });
      const mirrors = createMirrors({ ...shared, nodePods: pods, assigned, nodes, nodeName: 'node-1' });
      h.options.source = pods;
      h.options.statics = pods;
      await files.start(abort.signal);
      await h.start();
      await assigned.start(abort.signal);
      await nodes.start(abort.signal);
      const mirroring = mirrors.start(abort.signal).catch(() => undefined);
      stopLife = async () => {
        abort.abort(new Error('killed'));
        await files.stop();
        await mirroring;
        await mirrors.stop();
        await assigned.stop();
        await nodes.stop();
      };
    },
  });
  t.teardown(async () => {
    await stopLife();
    await rm(manifests, { recursive: true });
  });
  return world;
}

const phaseOf = async (h: Harness, name: string) => (await h.pod(name))?.status?.phase;
const running = async (h: Harness) =>
  (await h.runtime.listContainers()).filter(({ state }) => state === 'running');

t.test('the life of a static pod', async (t) => {
  const h = await createWorld(t);
  await writeFile(join(h.manifests, 'web.yaml'), manifest('web'));
  await writeFile(join(h.manifests, '.web.yaml.swp'), 'x');
  await h.client.create(nodeType, { metadata: { name: 'node-1' } });
  await h.begin();
  await h.until('mirrored', async () => (await phaseOf(h, 'web-node-1')) === 'Running');
  const mirror = await h.pod('web-node-1');
  const [container] = await h.runtime.listContainers();
  t.match(mirror?.status, { podIP: '10.244.0.2', containerStatuses: [{ ready: true }] });
  t.match(h.nodePods().list(), [{ metadata: { name: 'web-node-1' }, status: { phase: 'Running' } }]);
  t.equal(h.nodePods().list().length, 1, 'the mirror is no pod of its own');

  await h.remove('web-node-1');
  await h.until('made anew', async () => {
    const now = await h.pod('web-node-1');
    return now?.metadata.uid !== mirror?.metadata.uid && now?.status?.phase === 'Running';
  });
  t.same(await h.runtime.listContainers(), [container], 'deleting the mirror stops nothing');

  await h.begin();
  await h.clock.advance(1000);
  t.same(await h.runtime.listContainers(), [container], 'nor does a new agent');

  await writeFile(join(h.manifests, 'web.yaml'), manifest('web', 'app:2'));
  h.runtime.images.add('app:2');
  await h.look();
  await h.until('replaced', async () => {
    const [state, ...others] = await running(h);
    return others.length === 0 && state !== undefined && state.id !== container?.id;
  });
  await h.until('mirrored', async () => {
    const now = await h.pod('web-node-1');
    return now?.spec?.containers[0]?.image === 'app:2' && now.status?.phase === 'Running';
  });

  await writeFile(join(h.manifests, 'web.yaml'), manifest('web', 'app:2').slice(0, 40));
  await h.look();
  await h.until('told', async () => h.problems.length > 0);
  t.equal((await running(h)).length, 1, 'half a file ends nothing');
  await h.look();
  t.equal(h.problems.length, 1, 'told once');
  await writeFile(join(h.manifests, 'web.yaml'), '');
  await h.look();
  await h.until('told', async () => h.problems.length > 1);
  t.equal((await running(h)).length, 1, 'nor does a file that is about to be written');

  await rm(join(h.manifests, 'web.yaml'));
  await h.look();
  await h.until('ended', async () => (await h.runtime.listContainers()).length === 0);
  await h.until('gone', async () => (await h.pod('web-node-1')) === undefined);
});

t.test('static pods run while the master is away, from the first moment', async (t) => {
  const h = await createWorld(t);
  await writeFile(join(h.manifests, 'web.json'), JSON.stringify(parseManifest(manifest('web')).pods[0]));
  await mkdir(join(h.manifests, 'below'));
  let isAway = true;
  h.client.failNext(({ verb }) => isAway && verb === 'list', new Error('connection refused'), 1e6);
  await h.begin();
  await h.until('runs', async () => (await running(h)).length === 1);
  t.notOk(h.nodePods().hasSynced());
  const [container] = await running(h);
  h.runtime.exit(container?.id ?? '', 1);
  await h.until('restarted', async () => (await running(h)).some(({ id }) => id !== container?.id));
  t.match(h.nodePods().list(), [{ status: { containerStatuses: [{ restartCount: 1 }] } }]);
  await h.client.create(nodeType, { metadata: { name: 'node-1' } });
  isAway = false;
  await h.clock.advance(120_000);
  await h.until(
    'caught up',
    async () => (await h.pod('web-node-1'))?.status?.containerStatuses?.[0]?.restartCount === 1,
  );
});
