/**
 * A small valid object of every kind, for tests that go over all kinds. Imported by tests only.
 *
 * `n` keeps objects apart; kinds whose names mean something (addresses, CRDs, API services) make a name of it. A kind that
 * is not in the table gets an object with nothing but metadata; another version of a kind gets what its view makes of it.
 */
import { apiVersionOf } from '../../src/api/kinds.js';
import type { KubeObject } from '../../src/api/types.js';
import type { Resource } from '../resources/resource.js';

const labels = { app: 'sample' };
const podSpec = { containers: [{ name: 'app', image: 'nginx' }] };
const template = { metadata: { labels }, spec: podSpec };
const selector = { matchLabels: labels };
const never = { ...podSpec, restartPolicy: 'Never' };
const service = { name: 'svc', namespace: 'default', path: '/hook' };
const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'view' };
const subjects = [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'jane' }];
const rules = [{ apiGroups: [''], resources: ['pods'], verbs: ['get'] }];
const admissionRules = [
  { apiGroups: [''], apiVersions: ['v1'], resources: ['pods'], operations: ['CREATE'] },
];
const webhooks = [
  {
    name: 'a.example.com',
    clientConfig: { service },
    rules: admissionRules,
    sideEffects: 'None',
    admissionReviewVersions: ['v1'],
  },
];
/** A certificate request for CN=sample, made with openssl. */
const request = [
  'LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0KTUlIS01ITUNBUUF3RVRFUE1BMEdBMVVFQXd3R2MyRnRjR3hs',
  'TUZrd0V3WUhLb1pJemowQ0FRWUlLb1pJemowRApBUWNEUWdBRWFmU1NxaWg3MXRJY1Rhd2x4SGl6ODNzd25NUWtMQ25GQzYy',
  'TTVFbmUzdHBrN2dsMVhXY1BCbjZMCk1CYTgvSHhIVGVBS2RDVHg5THJldUY0R2wraDdTNkFBTUFvR0NDcUdTTTQ5QkFNQ0Ew',
  'Y0FNRVFDSUFZdDNQWVcKczFBcnNIQkhhZDZGQWdFY3kwYVMyL3VlZk5vRDhDekhuYXFXQWlCZG5QTEl5MG1MS2RNRTg4YlJX',
  'S1o2ZHE3Mwo4eXVDSlJ1YVpYdzBnZUJCL1E9PQotLS0tLUVORCBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0K',
].join('');

/** Everything but apiVersion, kind and metadata. By plural name. */
const contents: Readonly<Record<string, (n: number) => object>> = {
  pods: () => ({ spec: podSpec }),
  services: () => ({ spec: { clusterIP: 'None', ports: [{ port: 80 }], selector: labels } }),
  endpoints: () => ({ subsets: [{ addresses: [{ ip: '10.1.2.3' }], ports: [{ port: 80 }] }] }),
  configmaps: (n) => ({ data: { n: String(n) } }),
  secrets: (n) => ({ data: { n: Buffer.from(String(n)).toString('base64') }, type: 'Opaque' }),
  events: () => ({
    involvedObject: { kind: 'Pod', namespace: 'default', name: 'p' },
    eventTime: '2026-01-01T00:00:00.000000Z',
    action: 'Trying',
    reason: 'Tried',
    message: 'again',
    type: 'Normal',
    reportingComponent: 'example.com/test',
    reportingInstance: 'test-0',
  }),
  persistentvolumes: () => ({
    spec: { capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'], hostPath: { path: '/srv/a' } },
  }),
  persistentvolumeclaims: () => ({
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
  }),
  podtemplates: () => ({ template }),
  replicationcontrollers: () => ({ spec: { replicas: 1, selector: labels, template } }),
  limitranges: () => ({ spec: { limits: [{ type: 'Container', default: { cpu: '1' } }] } }),
  resourcequotas: () => ({ spec: { hard: { pods: '10' } } }),
  deployments: () => ({ spec: { selector, template } }),
  replicasets: () => ({ spec: { selector, template } }),
  statefulsets: () => ({ spec: { selector, template, serviceName: 'svc' } }),
  daemonsets: () => ({ spec: { selector, template } }),
  controllerrevisions: (n) => ({ revision: n + 1, data: { spec: { a: 1 } } }),
  jobs: () => ({ spec: { template: { spec: never } } }),
  cronjobs: () => ({
    spec: { schedule: '*/5 * * * *', jobTemplate: { spec: { template: { spec: never } } } },
  }),
  horizontalpodautoscalers: () => ({
    spec: { maxReplicas: 3, scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' } },
  }),
  poddisruptionbudgets: () => ({ spec: { minAvailable: 1, selector } }),
  ingresses: () => ({ spec: { defaultBackend: { service: { name: 'svc', port: { number: 80 } } } } }),
  ingressclasses: () => ({ spec: { controller: 'example.com/ingress' } }),
  networkpolicies: () => ({ spec: { podSelector: {} } }),
  ipaddresses: () => ({ spec: { parentRef: { resource: 'services', namespace: 'default', name: 'svc' } } }),
  servicecidrs: (n) => ({ spec: { cidrs: [`10.${100 + (n % 100)}.0.0/16`] } }),
  endpointslices: () => ({
    addressType: 'IPv4',
    endpoints: [{ addresses: ['10.1.2.3'] }],
    ports: [{ name: '', port: 80, protocol: 'TCP' }],
  }),
  leases: () => ({ spec: { holderIdentity: 'me', leaseDurationSeconds: 10 } }),
  storageclasses: () => ({ provisioner: 'example.com/disk' }),
  volumeattachments: () => ({
    spec: { attacher: 'disk.example.com', nodeName: 'n1', source: { persistentVolumeName: 'pv' } },
  }),
  csidrivers: () => ({ spec: { attachRequired: false } }),
  csinodes: () => ({ spec: { drivers: [{ name: 'example.com', nodeID: 'n1' }] } }),
  csistoragecapacities: () => ({ storageClassName: 'fast' }),
  volumeattributesclasses: () => ({ driverName: 'example.com', parameters: { a: 'b' } }),
  priorityclasses: (n) => ({ value: 1000 + n }),
  runtimeclasses: () => ({ handler: 'runc' }),
  roles: () => ({ rules }),
  clusterroles: () => ({ rules }),
  rolebindings: () => ({ roleRef, subjects }),
  clusterrolebindings: () => ({ roleRef, subjects }),
  certificatesigningrequests: () => ({
    spec: { request, signerName: 'kubernetes.io/kube-apiserver-client', usages: ['client auth'] },
  }),
  mutatingwebhookconfigurations: () => ({ webhooks }),
  validatingwebhookconfigurations: () => ({ webhooks }),
  validatingadmissionpolicies: () => ({
    spec: { matchConstraints: { resourceRules: admissionRules }, validations: [{ expression: 'true' }] },
  }),
  validatingadmissionpolicybindings: () => ({
    spec: { policyName: 'p.example.com', validationActions: ['Deny'] },
  }),
  mutatingadmissionpolicies: () => ({
    spec: {
      matchConstraints: { resourceRules: admissionRules },
      reinvocationPolicy: 'Never',
      mutations: [{ patchType: 'ApplyConfiguration', applyConfiguration: { expression: 'Object{}' } }],
    },
  }),
  mutatingadmissionpolicybindings: () => ({ spec: { policyName: 'p.example.com' } }),
  customresourcedefinitions: (n) => ({
    spec: {
      group: 'example.com',
      scope: 'Namespaced',
      names: { plural: `things${n}`, singular: `thing${n}`, kind: `Thing${n}`, listKind: `Thing${n}List` },
      versions: [
        { name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object' } } },
      ],
    },
  }),
  apiservices: (n) => ({
    spec: {
      group: 'sample.example.com',
      version: `v${n + 1}`,
      service: { name: 'svc', namespace: 'default' },
      insecureSkipTLSVerify: true,
      groupPriorityMinimum: 1000,
      versionPriority: 15,
    },
  }),
};

/** Kinds whose name says something. */
const names: Readonly<Record<string, (n: number) => string>> = {
  ipaddresses: (n) => `10.9.${Math.floor(n / 250)}.${(n % 250) + 1}`,
  customresourcedefinitions: (n) => `things${n}.example.com`,
  apiservices: (n) => `v${n + 1}.sample.example.com`,
};

/** False where the server cannot make up a name. */
export const takesGeneratedName = (resource: Resource): boolean => !(resource.type.resource in names);

/** The `n`th object of a kind, labelled `n`; of namespace `default` where the kind has namespaces. */
export function sampleOf(resource: Resource, n: number): KubeObject {
  const { type, view } = resource;
  if (view) {
    const made = view.fromStored([sampleOf(view.of, n)]);
    if (Array.isArray(made) && made[0])
      return { ...made[0], apiVersion: apiVersionOf(type), kind: type.kind };
  }
  return {
    apiVersion: apiVersionOf(type),
    kind: type.kind,
    metadata: {
      name: names[type.resource]?.(n) ?? `sample-${n}`,
      ...(type.namespaced && { namespace: 'default' }),
      labels: { n: String(n), parity: n % 2 === 0 ? 'even' : 'odd' },
    },
    ...contents[type.resource]?.(n),
  };
}

/** Where the objects of a kind are: `/api/v1/namespaces/default/pods`. */
export function pathOf({ type }: Resource, name?: string): string {
  const root = type.group === '' ? `/api/${type.version}` : `/apis/${type.group}/${type.version}`;
  const scope = type.namespaced ? '/namespaces/default' : '';
  return `${root}${scope}/${type.resource}${name === undefined ? '' : `/${name}`}`;
}
