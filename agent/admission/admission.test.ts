/** What a node takes, refuses and makes room for, in kubelet's words. */
import t from 'tap';
import type { Node, Pod, PodSpec } from '../../src/api/types.js';
import { silentLogger } from '../../src/host/log.js';
import { pod as makePod } from '../../src/testing/builders.js';
import type { Pressure } from '../node/conditions.js';
import type { PodEnd } from '../pods/needs.js';
import { createAdmission } from './admission.js';
import { choosePreempted } from './preemption.js';

const node: Node = {
  metadata: { name: 'node-1', labels: { zone: 'a' } },
  status: { allocatable: { cpu: '2', memory: '1Gi', 'ephemeral-storage': '10Gi', pods: '3' } },
};

function world(given: Partial<{ node: Node | undefined; pressures: Pressure[] }> = {}) {
  const ended: [string, PodEnd][] = [];
  const events: string[] = [];
  const admit = createAdmission({
    node: () => ('node' in given ? given.node : node),
    pressures: () => new Set(given.pressures ?? []),
    forbiddenSysctls: ({ spec }) =>
      (spec?.securityContext?.sysctls ?? []).map(({ name }) => `forbidden sysctl: "${name}" not allowlisted`),
    features: { appArmor: false, strictSupplementalGroups: false },
    end: (uid, end) => void ended.push([uid, end]),
    recorder: { event: (_object, _type, reason) => void events.push(reason) },
    log: silentLogger,
  });
  return { admit, ended, events };
}

interface Wanted extends Partial<PodSpec> {
  requests?: Record<string, string>;
}

const podOf = (name: string, { requests = {}, ...spec }: Wanted = {}): Pod =>
  makePod(name, {
    meta: { uid: name },
    spec: { containers: [{ name: 'c', resources: { requests } }], ...spec },
  });

const critical = 2_000_000_000;

t.test('what fits is taken', async (t) => {
  const { admit } = world();
  t.equal(admit(podOf('a', { requests: { cpu: '2', memory: '1Gi' } }), []), undefined);
  t.equal(admit(podOf('a', { nodeName: 'node-1', nodeSelector: { zone: 'a' } }), []), undefined);
  t.equal(admit(podOf('a', { requests: { 'example.com/gpu': '1' } }), []), undefined, "the cluster's");
  t.equal(world({ node: undefined }).admit(podOf('a', { requests: { cpu: '99' } }), []), undefined);
});

t.test('what does not fit', async (t) => {
  const { admit } = world();
  const busy = [podOf('x', { requests: { cpu: '1500m', memory: '100Mi' } })];
  const lacks = (what: string, requested: number, used: number, capacity: number) => ({
    reason: `OutOf${what}`,
    message: `Node didn't have enough resource: ${what}, requested: ${requested}, used: ${used}, capacity: ${capacity}`,
  });
  const mi = 1024 ** 2;
  t.same(admit(podOf('a', { requests: { cpu: '1' } }), busy), lacks('cpu', 1000, 1500, 2000));
  t.same(
    admit(podOf('a', { requests: { memory: '1Gi' } }), busy),
    lacks('memory', 1024 * mi, 100 * mi, 1024 * mi),
  );
  t.same(
    admit(podOf('a', { requests: { 'ephemeral-storage': '11Gi' } }), busy),
    lacks('ephemeral-storage', 11 * 1024 * mi, 0, 10 * 1024 * mi),
  );
  t.same(admit(podOf('a'), [podOf('x'), podOf('y'), podOf('z')]), lacks('pods', 1, 3, 3));
  t.equal(admit(podOf('a'), busy), undefined, 'no request, no shortage');

  const port = (hostPort: number, hostIP?: string): Wanted => ({
    containers: [{ name: 'c', ports: [{ containerPort: 80, hostPort, ...(hostIP && { hostIP }) }] }],
  });
  const affinity: PodSpec['affinity'] = {
    nodeAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: {
        nodeSelectorTerms: [{ matchExpressions: [{ key: 'zone', operator: 'NotIn', values: ['a'] }] }],
      },
    },
  };
  const predicate = (filter: string, text: string) => ({
    reason: filter,
    message: `Predicate ${filter} failed: ${text}`,
  });
  const mismatch = predicate('NodeAffinity', "node(s) didn't match Pod's node affinity/selector");
  t.same(admit(podOf('a', { nodeSelector: { zone: 'b' } }), []), mismatch);
  t.same(admit(podOf('a', { affinity }), []), mismatch);
  t.match(admit(podOf('a', { nodeName: 'other' }), []), { reason: 'NodeName' });
  t.same(
    admit(podOf('a', port(80)), [podOf('b', port(80, '192.0.2.1'))]),
    predicate('NodePorts', "node(s) didn't have free ports for the requested pod ports"),
  );
  t.equal(admit(podOf('a', port(80, '192.0.2.2')), [podOf('b', port(80, '192.0.2.1'))]), undefined);

  const tainted = { ...node, spec: { taints: [{ key: 'k', effect: 'NoExecute' }] } };
  t.match(world({ node: tainted }).admit(podOf('a'), []), { reason: 'TaintToleration' });
  const tolerations = [{ operator: 'Exists' }];
  t.equal(world({ node: tainted }).admit(podOf('a', { tolerations }), []), undefined);
});

t.test('what this host cannot', async (t) => {
  const { admit } = world();
  const os = { name: 'windows' };
  t.match(admit(podOf('a', { os }), []), { reason: 'PodOSNotSupported' });
  t.equal(admit(podOf('a', { os: { name: 'linux' } }), []), undefined);
  const labelled = makePod('a', { labels: { 'kubernetes.io/os': 'windows' } });
  t.match(admit(labelled, []), { reason: 'PodOSSelectorNodeLabelDoesNotMatch' });
  const securityContext = { sysctls: [{ name: 'kernel.msgmax', value: '1' }] };
  t.same(admit(podOf('a', { securityContext }), []), {
    reason: 'SysctlForbidden',
    message: 'forbidden sysctl: "kernel.msgmax" not allowlisted',
  });
  const profile = (type: string) => ({ securityContext: { appArmorProfile: { type } } });
  t.match(admit(podOf('a', profile('RuntimeDefault')), []), { reason: 'AppArmor' });
  t.equal(admit(podOf('a', profile('Unconfined')), []), undefined);
  const groups = { securityContext: { supplementalGroupsPolicy: 'Strict' } };
  t.match(admit(podOf('a', groups), []), { reason: 'SupplementalGroupsPolicyNotSupported' });
});

t.test('under pressure', async (t) => {
  const asks = podOf('burstable', { requests: { memory: '1Mi' } });
  const important = podOf('critical', { priority: critical });
  const memory = world({ pressures: ['MemoryPressure'] });
  t.same(memory.admit(podOf('best-effort'), []), {
    reason: 'Evicted',
    message: 'The node had condition: [MemoryPressure]. ',
  });
  t.equal(memory.admit(asks, []), undefined);
  const tolerations = [{ key: 'node.kubernetes.io/memory-pressure', operator: 'Exists' }];
  t.equal(memory.admit(podOf('tolerant', { tolerations }), []), undefined);
  for (const pressures of [['DiskPressure'], ['PIDPressure'], ['MemoryPressure', 'DiskPressure']] as const) {
    const { admit } = world({ pressures: [...pressures] });
    t.match(admit(asks, []), {
      reason: 'Evicted',
      message: `The node had condition: [${pressures.join(' ')}]. `,
    });
    t.equal(admit(important, []), undefined);
  }
});

t.test('a critical pod makes others go', async (t) => {
  const { admit, ended, events } = world();
  const others = [
    podOf('small', { requests: { cpu: '200m' } }),
    podOf('big', { requests: { cpu: '1500m' } }),
  ];
  const wanted = podOf('critical', { priority: critical, requests: { cpu: '1' } });
  t.equal(admit(wanted, others), undefined);
  t.match(ended, [['big', { reason: 'Preempting', disruption: { reason: 'TerminationByKubelet' } }]]);
  t.same(events, ['Preempting']);
  t.match(admit(podOf('huge', { priority: critical, requests: { cpu: '9' } }), others), {
    reason: 'UnexpectedAdmissionError',
    message: /preemption: error finding a set of pods to preempt.*\(res: cpu, q: 8700\)/,
  });
  const astray = podOf('astray', { priority: critical, nodeSelector: { zone: 'b' }, requests: { cpu: '1' } });
  t.match(admit(astray, others), { reason: 'NodeAffinity' }, 'nobody goes for a pod that cannot stay');
  const guard = podOf('guard', { priority: critical + 1, requests: { cpu: '2' } });
  t.match(admit(wanted, [guard]), { reason: 'UnexpectedAdmissionError' });
  t.equal(ended.length, 1);
});

t.test('who goes: best effort before burstable before guaranteed, as few as possible', async (t) => {
  const guaranteed = makePod('guaranteed', {
    meta: { uid: 'guaranteed' },
    spec: {
      containers: [{ name: 'c', resources: { requests: { cpu: '1' }, limits: { cpu: '1' } } }],
    },
    status: { qosClass: 'Guaranteed' },
  });
  const burstable = podOf('burstable', { requests: { cpu: '500m' } });
  const best = podOf('best-effort');
  const active = [guaranteed, burstable, best];
  const short = (resource: string, missing: number) => [
    { resource, requested: missing, used: 0, capacity: 0 },
  ];
  const important = podOf('critical', { priority: critical });
  const names = (resource: string, missing: number) =>
    choosePreempted(important, active, short(resource, missing))?.map(({ metadata }) => metadata.name);
  t.same(names('pods', 1), ['best-effort']);
  t.same(names('cpu', 400), ['burstable']);
  t.same(names('cpu', 1000), ['guaranteed']);
  t.same(names('cpu', 1200), ['burstable', 'guaranteed']);
  t.equal(names('cpu', 1501), undefined);
});
