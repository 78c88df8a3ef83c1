/** What objects count for, in which scopes they are, and what a quota says of them: the examples of the documentation. */
import t from 'tap';
import { resourceType } from '../../../../src/api/kinds.js';
import type {
  Container,
  KubeObject,
  PersistentVolumeClaim,
  Pod,
  PodSpec,
  PodStatus,
  ResourceQuota,
  ResourceQuotaSpec,
  Service,
} from '../../../../src/api/types.js';
import { pod as podOf } from '../../../../src/testing/builders.js';
import { assess, type Demand } from './charge.js';
import { type Evaluator, evaluatorOf } from './evaluators.js';
import { limitedOf, uncovered } from './limited.js';

const now = new Date('2026-01-01T01:00:00Z');
const typed = (apiVersion: string, resource: string): Evaluator => {
  const evaluator = evaluatorOf(resourceType(apiVersion, resource, '', true));
  if (!evaluator) throw new Error(`nothing counts ${resource}`);
  return evaluator;
};
const pods = typed('v1', 'pods');
const claims = typed('v1', 'persistentvolumeclaims');
const services = typed('v1', 'services');

type Amounts = Record<string, string>;

const container = (requests: Amounts, limits: Amounts = {}, name = 'c'): Container => ({
  name,
  image: 'x',
  resources: { requests, limits },
});

const podWith = (spec: Partial<PodSpec>, more: { status?: PodStatus; meta?: object } = {}): Pod =>
  podOf('p', { spec: { containers: [container({})], ...spec }, ...more });

const quotaOf = (
  hard: Amounts,
  more: { spec?: Partial<ResourceQuotaSpec>; used?: Amounts } = {},
): ResourceQuota => ({
  metadata: { name: 'q', namespace: 'default', uid: 'q' },
  spec: { hard, ...more.spec },
  status: {
    hard,
    used: more.used ?? Object.fromEntries(Object.keys(hard).map((name) => [name, '0'])),
  },
});

const outcome = (
  quota: ResourceQuota,
  evaluator: Evaluator,
  object: KubeObject,
  old?: KubeObject,
): string | Amounts => {
  const demand: Demand = { evaluator, object, old };
  const assessment = assess(quota, quota.status?.used ?? {}, demand, now);
  return 'refusal' in assessment ? assessment.refusal : assessment.increase;
};

void t.test('pods count with what they ask for', (t) => {
  const spec: Partial<PodSpec> = {
    containers: [
      container({ cpu: '100m', memory: '1Gi', 'hugepages-2Mi': '2Mi' }, { cpu: '200m', memory: '2Gi' }),
      container({ cpu: '1', 'ephemeral-storage': '1Gi', 'example.com/gpu': '2' }, { 'example.com/gpu': '2' }),
    ],
    overhead: { cpu: '250m', memory: '64Mi', 'ephemeral-storage': '1Mi' },
  };
  t.strictSame(pods.usage(podWith(spec), now), {
    'count/pods': '1',
    pods: '1',
    cpu: '1350m',
    'requests.cpu': '1350m',
    memory: '1088Mi',
    'requests.memory': '1088Mi',
    'hugepages-2Mi': '2Mi',
    'requests.hugepages-2Mi': '2Mi',
    'ephemeral-storage': '1025Mi',
    'requests.ephemeral-storage': '1025Mi',
    'requests.example.com/gpu': '2',
    'limits.cpu': '450m',
    'limits.memory': '2112Mi',
  });
  const sidecar: Container = { ...container({ cpu: '300m' }), restartPolicy: 'Always' };
  const inits = (...initContainers: Container[]): string | undefined =>
    pods.usage(podWith({ containers: [container({ cpu: '1' })], initContainers }), now)['cpu'];
  t.equal(inits(container({ cpu: '700m' })), '1', 'what runs before counts only where it is more');
  t.equal(inits(container({ cpu: '3' })), '3');
  t.equal(inits(sidecar, container({ cpu: '200m' })), '1300m', 'sidecars run along');
  t.equal(inits(sidecar, container({ cpu: '1500m' })), '1800m', 'also beside later init containers');
  const whole = podWith({ containers: [container({ cpu: '1' })], resources: { requests: { cpu: '4' } } });
  t.equal(pods.usage(whole, now)['cpu'], '4', 'the pod as a whole decides');
  t.end();
});

void t.test('a pod that has ended counts as an object only', (t) => {
  const counted = { 'count/pods': '1' };
  const spec = { containers: [container({ cpu: '1' })] };
  for (const phase of ['Failed', 'Succeeded'])
    t.strictSame(pods.usage(podWith(spec, { status: { phase } }), now), counted);
  const leaving = (at: string): Pod =>
    podWith(spec, { meta: { deletionTimestamp: at, deletionGracePeriodSeconds: 30 } });
  t.match(pods.usage(leaving('2026-01-01T00:59:31Z'), now), { pods: '1', cpu: '1' });
  t.strictSame(pods.usage(leaving('2026-01-01T00:59:29Z'), now), counted, 'long past its grace period');
  t.equal(pods.changesAtMs?.(leaving('2026-01-01T00:59:31Z')), now.getTime() + 1_000);
  t.equal(pods.changesAtMs?.(podWith(spec)), undefined);
  t.end();
});

void t.test('a resize counts as the most of what is asked, given and there', (t) => {
  const resources = { requests: { cpu: '2' } };
  const status = (conditions: PodStatus['conditions'] = []): PodStatus => ({
    conditions,
    containerStatuses: [
      {
        name: 'c',
        image: 'x',
        imageID: '',
        resources,
        allocatedResources: { cpu: '3' },
        ready: true,
        restartCount: 0,
      },
    ],
  });
  const cpu = (request: string, given: PodStatus): string | undefined =>
    pods.usage(podWith({ containers: [container({ cpu: request })] }, { status: given }), now)['cpu'];
  t.equal(cpu('1', status()), '3');
  t.equal(cpu('4', status()), '4');
  t.equal(
    cpu('4', status([{ type: 'PodResizePending', status: 'True', reason: 'Infeasible' }])),
    '3',
    'what cannot be is not charged',
  );
  t.end();
});

void t.test('scopes', (t) => {
  const inScope = (object: Pod, scopeName: string, operator = 'Exists', values: string[] = []): boolean =>
    pods.isInScope(object, { scopeName, operator, values });
  const ending = podWith({ activeDeadlineSeconds: 0 });
  t.ok(inScope(ending, 'Terminating'));
  t.notOk(inScope(ending, 'NotTerminating'));
  t.ok(inScope(podWith({}), 'NotTerminating'));
  t.ok(inScope(podWith({}), 'BestEffort'));
  t.ok(inScope(podWith({ containers: [container({ cpu: '1' })] }), 'NotBestEffort'));
  const high = podWith({ priorityClassName: 'high' });
  t.ok(inScope(high, 'PriorityClass', 'In', ['high', 'low']));
  t.notOk(inScope(high, 'PriorityClass', 'NotIn', ['high']));
  t.ok(inScope(podWith({}), 'PriorityClass', 'NotIn', ['high']));
  t.ok(inScope(podWith({}), 'PriorityClass', 'DoesNotExist'));
  t.ok(inScope(high, 'PriorityClass'));
  const affine = (term: object): Pod =>
    podWith({
      affinity: {
        podAntiAffinity: {
          preferredDuringSchedulingIgnoredDuringExecution: [
            { weight: 1, podAffinityTerm: { topologyKey: 'zone', ...term } },
          ],
        },
      },
    });
  t.ok(inScope(affine({ namespaces: ['other'] }), 'CrossNamespacePodAffinity'));
  t.ok(inScope(affine({ namespaceSelector: {} }), 'CrossNamespacePodAffinity'));
  t.notOk(inScope(affine({}), 'CrossNamespacePodAffinity'));
  const claim: PersistentVolumeClaim = {
    metadata: {},
    spec: { volumeAttributesClassName: 'gold' },
    status: { currentVolumeAttributesClassName: 'silver' },
  };
  for (const name of ['gold', 'silver'])
    t.ok(
      claims.isInScope(claim, { scopeName: 'VolumeAttributesClass', operator: 'In', values: [name] }),
      name,
    );
  t.notOk(claims.isInScope({ metadata: {} }, { scopeName: 'VolumeAttributesClass', operator: 'Exists' }));
  t.notOk(services.isInScope({ metadata: {} }, { scopeName: 'BestEffort', operator: 'Exists' }));
  t.end();
});

void t.test('services count by their type, claims by their class, everything else as such', (t) => {
  const service = (spec: Service['spec']): Service => ({ metadata: {}, spec });
  const ports = [{ port: 80 }, { port: 81, nodePort: 30_001 }];
  const usage = (spec: Service['spec']): string[] =>
    Object.values(services.usage(service(spec), now) as Amounts);
  t.strictSame(usage({ type: 'ClusterIP', ports }), ['1', '1', '0', '0']);
  t.strictSame(usage({ type: 'NodePort', ports }), ['1', '1', '2', '0']);
  t.strictSame(usage({ type: 'LoadBalancer', ports }), ['1', '1', '2', '1']);
  t.strictSame(usage({ type: 'LoadBalancer', allocateLoadBalancerNodePorts: false, ports }), [
    '1',
    '1',
    '1',
    '1',
  ]);
  const claim: PersistentVolumeClaim = {
    metadata: {},
    spec: { storageClassName: 'gold', resources: { requests: { storage: '1500m' } } },
    status: {},
  };
  const byClass = 'gold.storageclass.storage.k8s.io';
  t.strictSame(claims.usage(claim, now), {
    'count/persistentvolumeclaims': '1',
    persistentvolumeclaims: '1',
    'requests.storage': '2',
    [`${byClass}/persistentvolumeclaims`]: '1',
    [`${byClass}/requests.storage`]: '2',
  });
  t.equal(
    claims.usage({ ...claim, status: { allocatedResources: { storage: '5' } } } as KubeObject, now)[
      'requests.storage'
    ],
    '5',
    'given more than it asks for by now',
  );
  t.strictSame(typed('v1', 'secrets').usage({ metadata: {} }, now), { 'count/secrets': '1', secrets: '1' });
  t.strictSame(typed('example.com/v1', 'boats').usage({ metadata: {} }, now), {
    'count/boats.example.com': '1',
  });
  t.equal(evaluatorOf(resourceType('v1', 'events', 'Event', true)), undefined);
  t.equal(evaluatorOf(resourceType('v1', 'nodes', 'Node', false)), undefined);
  t.end();
});

void t.test('what a quota says', (t) => {
  const plain = podWith({ containers: [container({ cpu: '1' }, { cpu: '2' })] });
  const full = quotaOf({ pods: '2', 'requests.cpu': '10' }, { used: { pods: '2', 'requests.cpu': '1' } });
  t.equal(outcome(full, pods, plain), 'exceeded quota: q, requested: pods=1, used: pods=2, limited: pods=2');
  t.strictSame(outcome(quotaOf({ pods: '2', 'count/pods': '2', 'requests.cpu': '1' }), pods, plain), {
    pods: '1',
    'count/pods': '1',
    'requests.cpu': '1',
  });
  const both = quotaOf({ 'requests.cpu': '500m', 'limits.cpu': '1' });
  t.equal(
    outcome(both, pods, plain),
    'exceeded quota: q, requested: limits.cpu=2,requests.cpu=1, used: limits.cpu=0,requests.cpu=0, limited: limits.cpu=1,requests.cpu=500m',
  );
  const silent = podWith({
    containers: [container({ memory: '1' }, {}, 'b'), container({}, {}, 'a')],
    initContainers: [container({}, { cpu: '1' }, 'i')],
  });
  t.equal(
    outcome(quotaOf({ 'limits.cpu': '1', 'requests.memory': '1Gi' }), pods, silent),
    'failed quota: q: must specify limits.cpu for: a,b; requests.memory for: a,i',
  );
  const whole = podWith({ resources: { requests: { cpu: '1' }, limits: { cpu: '1' } } });
  t.match(outcome(quotaOf({ 'limits.memory': '1Gi', cpu: '1' }), pods, whole), { cpu: '1' });
  t.equal(
    outcome(quotaOf({ pods: '1' }, { used: {} }), pods, plain),
    'status unknown for quota: q, resources: pods',
  );
  const high = {
    scopeSelector: { matchExpressions: [{ scopeName: 'PriorityClass', operator: 'In', values: ['high'] }] },
  };
  const scoped = quotaOf({ pods: '0' }, { spec: high });
  t.strictSame(outcome(scoped, pods, plain), {}, 'not meant');
  t.match(outcome(scoped, pods, podWith({ priorityClassName: 'high' })), /^exceeded quota/);
  t.strictSame(outcome(quotaOf({ pods: '0' }), services, { metadata: {} }), {});
  t.end();
});

void t.test('only what grows is charged', (t) => {
  const claim = (storage: string): PersistentVolumeClaim => ({
    metadata: {},
    spec: { resources: { requests: { storage } } },
  });
  const storage = quotaOf(
    { 'requests.storage': '10Gi', persistentvolumeclaims: '1' },
    { used: { 'requests.storage': '10Gi', persistentvolumeclaims: '1' } },
  );
  t.match(
    outcome(storage, claims, claim('3Gi'), claim('2Gi')),
    /requested: requests.storage=1Gi, used: .*=10Gi/,
  );
  t.strictSame(outcome(storage, claims, claim('1Gi'), claim('2Gi')), {}, 'less is always fine');
  const service = (type: string): Service => ({ metadata: {}, spec: { type, ports: [{ port: 80 }] } });
  const doors = quotaOf(
    { services: '1', 'services.nodeports': '1' },
    { used: { services: '1', 'services.nodeports': '0' } },
  );
  t.strictSame(outcome(doors, services, service('NodePort'), service('ClusterIP')), {
    'services.nodeports': '1',
  });
  const resized = (cpu: string): Pod => podWith({ containers: [container({ cpu })] });
  t.strictSame(outcome(quotaOf({ cpu: '3', pods: '0' }), pods, resized('2'), resized('500m')), {
    cpu: '1500m',
  });
  const attributed = (name: string): PersistentVolumeClaim => ({
    ...claim('2Gi'),
    spec: { ...claim('2Gi').spec, volumeAttributesClassName: name },
  });
  const gold = quotaOf(
    { 'requests.storage': '1Gi' },
    {
      spec: {
        scopeSelector: {
          matchExpressions: [{ scopeName: 'VolumeAttributesClass', operator: 'In', values: ['gold'] }],
        },
      },
    },
  );
  t.match(
    outcome(gold, claims, attributed('gold'), attributed('silver')),
    /^exceeded quota/,
    'what comes into a scope is new to it',
  );
  t.end();
});

void t.test('what is limited by configuration needs a quota', (t) => {
  const scope = { scopeName: 'PriorityClass', operator: 'In', values: ['critical'] };
  const limited = limitedOf({
    apiVersion: 'apiserver.config.k8s.io/v1',
    kind: 'ResourceQuotaConfiguration',
    limitedResources: [{ resource: 'pods', matchScopes: [scope], matchContains: ['.com/gpu'] }],
  });
  const why = (object: Pod, ...quotas: ResourceQuota[]): string | undefined =>
    uncovered(limited, quotas, { evaluator: pods, object, old: undefined }, now);
  const critical = podWith({ priorityClassName: 'critical' });
  t.equal(why(podWith({})), undefined);
  t.equal(why(critical), 'insufficient quota to match these scopes: [{PriorityClass In [critical]}]');
  const selecting = { scopeSelector: { matchExpressions: [scope] } };
  t.equal(why(critical, quotaOf({ pods: '9' }, { spec: selecting })), undefined);
  const device = podWith({ containers: [container({ 'example.com/gpu': '1' })] });
  t.equal(why(device, quotaOf({ pods: '9' })), 'insufficient quota to consume: requests.example.com/gpu');
  t.equal(why(device, quotaOf({ 'requests.example.com/gpu': '9' })), undefined);
  t.throws(() => limitedOf({ apiVersion: 'v1', kind: 'ResourceQuotaConfiguration' }), /apiVersion/);
  t.strictSame(limitedOf(undefined), []);
  t.end();
});
