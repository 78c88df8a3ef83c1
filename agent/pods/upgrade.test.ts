/**
 * Replacing the agent's version never touches what runs. What a released version wrote on containers is pinned here as
 * literals: a change that makes these tests fail would restart every container of every node that is upgraded.
 */
import t from 'tap';
import type { Container } from '../../src/api/types.js';
import { attemptOf, backoffMsOf, containerName, containerNameOf, sandboxName, specHash } from './names.js';
import { container, plan, podOf, sandbox, seen } from './testing/plan.js';

/** Every label that version 0.1 put on a container; later ones may have more. */
const firstLabels = {
  'io.kubernetes.pod.uid': 'u1',
  'io.kubernetes.pod.name': 'web',
  'io.kubernetes.pod.namespace': 'default',
  'io.kubernetes.container.name': 'app',
  'io.wherry.type': 'container',
  'io.wherry.node': 'n',
  'io.wherry.attempt': '3',
  'io.wherry.spec-hash': 'cbf89eeb9359660e',
  'io.wherry.backoff-ms': '20000',
  'io.wherry.grace-seconds': '30',
};

const rich: Container = {
  name: 'app',
  image: 'app:1',
  command: ['serve'],
  env: [{ name: 'A', value: 'b' }],
  ports: [{ containerPort: 80 }],
  resources: { requests: { cpu: '100m', memory: '64Mi' }, limits: { memory: '64Mi' } },
  livenessProbe: { httpGet: { port: 80 } },
  securityContext: { runAsUser: 1 },
};

t.test('the hash of a spec is what it always was, whatever else a version fills in', async (t) => {
  t.equal(specHash({ name: 'app', image: 'app:1' }), 'cbf89eeb9359660e');
  t.equal(
    specHash(rich),
    'cbf89eeb9359660e',
    'only the image can change in place and needs another container',
  );
  t.not(specHash({ ...rich, image: 'app:2' }), 'cbf89eeb9359660e');
});

t.test('names by which a create that is repeated meets the first one', async (t) => {
  t.equal(containerName(podOf(), 'app', 3), 'wherry_app_web_default_u1_3');
  t.equal(sandboxName(podOf(), 0), 'wherry_POD_web_default_u1_0');
});

t.test('a container of the first version runs on under this one', async (t) => {
  const old = { ...container({ spec: rich, attempt: 3 }), labels: firstLabels };
  t.same([containerNameOf(old), attemptOf(old), backoffMsOf(old)], ['app', 3, 20_000]);
  const pod = podOf({ containers: [rich] });
  t.same(plan(pod, seen([old])), []);
  const { labels: _, ...bare } = sandbox();
  const oldSandbox = { ...bare, labels: { 'io.wherry.attempt': '0', 'io.kubernetes.pod.uid': 'u1' } };
  t.same(plan(pod, seen([old], { sandboxes: [oldSandbox] })), []);
});
