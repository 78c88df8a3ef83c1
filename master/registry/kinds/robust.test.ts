import t from 'tap';
import { ApiError } from '../../../src/api/errors.js';
import { createKey, createRequest } from '../../../src/host/x509.js';
import { createFakeClock } from '../../../src/testing/clock.js';
import { contextOf, createTestRegistry } from '../testing.js';
import { createServiceAllocator } from './serviceallocator.js';

/**
 * No body, however broken, may be answered with a 500: every kind is sent a full object with each of its values in turn
 * taken away or replaced by something empty, odd or of another type. Refusals have to say which field is meant.
 */
const allocators = new Map([
  [
    'services.',
    createServiceAllocator({ serviceCidr: '10.96.0.0/16', nodePortRange: { from: 30000, to: 32767 } }),
  ],
]) as never;
const { registry, rowOf } = await createTestRegistry({ clock: createFakeClock(), allocators });

const selector = {
  matchLabels: { app: 'a' },
  matchExpressions: [{ key: 'app', operator: 'In', values: ['a'] }],
};
const probe = {
  httpGet: { path: '/', port: 80, httpHeaders: [{ name: 'A', value: 'b' }] },
  periodSeconds: 1,
};
const podTerm = { topologyKey: 'zone', labelSelector: selector };
const nodeTerm = {
  matchExpressions: [{ key: 'zone', operator: 'In', values: ['a'] }],
  matchFields: [{ key: 'metadata.name', operator: 'In', values: ['n1'] }],
};
const podSpec = {
  containers: [
    {
      name: 'a',
      image: 'i',
      command: ['c'],
      ports: [{ name: 'http', containerPort: 80, hostPort: 80, protocol: 'TCP' }],
      env: [
        { name: 'A', value: 'b' },
        { name: 'B', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
        { name: 'C', valueFrom: { configMapKeyRef: { name: 'c', key: 'k' } } },
        { name: 'D', valueFrom: { resourceFieldRef: { resource: 'limits.cpu' } } },
      ],
      envFrom: [{ prefix: 'P', configMapRef: { name: 'c' } }, { secretRef: { name: 's' } }],
      resources: { limits: { cpu: '1', memory: '1Gi' }, requests: { cpu: '500m' } },
      volumeMounts: [{ name: 'host', mountPath: '/host', subPath: 'x', mountPropagation: 'None' }],
      livenessProbe: probe,
      readinessProbe: { exec: { command: ['true'] } },
      startupProbe: { tcpSocket: { port: 80 } },
      lifecycle: { preStop: { exec: { command: ['true'] } }, postStart: { httpGet: probe.httpGet } },
      securityContext: { runAsUser: 1, capabilities: { add: ['A'] }, privileged: false },
    },
  ],
  initContainers: [{ name: 'init', image: 'i', restartPolicy: 'Always' }],
  volumes: [
    { name: 'host', hostPath: { path: '/', type: 'Directory' } },
    { name: 'empty', emptyDir: { sizeLimit: '1Gi' } },
    {
      name: 'secret',
      secret: { secretName: 's', items: [{ key: 'k', path: 'p', mode: 256 }], defaultMode: 256 },
    },
    { name: 'map', configMap: { name: 'c', items: [{ key: 'k', path: 'p' }] } },
    { name: 'down', downwardAPI: { items: [{ path: 'p', fieldRef: { fieldPath: 'metadata.labels' } }] } },
    {
      name: 'projected',
      projected: {
        sources: [{ configMap: { name: 'c' } }, { serviceAccountToken: { path: 'token' } }],
        defaultMode: 256,
      },
    },
    { name: 'claim', persistentVolumeClaim: { claimName: 'c' } },
    { name: 'nfs', nfs: { server: 's', path: '/' } },
  ],
  nodeSelector: { a: 'b' },
  tolerations: [{ key: 'a', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 1 }],
  hostAliases: [{ ip: '192.0.2.1', hostnames: ['a'] }],
  dnsPolicy: 'None',
  dnsConfig: { nameservers: ['192.0.2.1'], options: [{ name: 'ndots' }], searches: ['a'] },
  imagePullSecrets: [{ name: 's' }],
  readinessGates: [{ conditionType: 'a' }],
  securityContext: { runAsUser: 1, fsGroup: 1, sysctls: [{ name: 'a', value: 'b' }] },
  topologySpreadConstraints: [
    { maxSkew: 1, topologyKey: 'z', whenUnsatisfiable: 'DoNotSchedule', labelSelector: selector },
  ],
  affinity: {
    nodeAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [nodeTerm] },
      preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 1, preference: nodeTerm }],
    },
    podAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: [podTerm],
      preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 1, podAffinityTerm: podTerm }],
    },
  },
};
const template = {
  metadata: { labels: { app: 'a' }, annotations: { a: 'b' } },
  spec: { containers: [{ name: 'a', image: 'i' }] },
};
const metadata = {
  name: 'a',
  labels: { a: 'b' },
  annotations: { a: 'b' },
  finalizers: ['example.com/a'],
  ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name: 'n', uid: 'u', controller: true }],
};
const names = { commonName: 'jane', organizations: [], dnsNames: [], ips: [] };
const request = Buffer.from(await createRequest(await createKey(), names)).toString('base64');

const bodies: Record<string, object> = {
  namespaces: { metadata, spec: { finalizers: ['kubernetes'] } },
  nodes: {
    metadata,
    spec: {
      taints: [{ key: 'a', value: 'b', effect: 'NoSchedule' }],
      podCIDRs: ['10.0.0.0/24'],
      podCIDR: '10.0.0.0/24',
      unschedulable: true,
    },
    status: {
      capacity: { cpu: '1' },
      allocatable: { cpu: '1' },
      conditions: [{ type: 'Ready', status: 'True' }],
      addresses: [{ type: 'InternalIP', address: '192.0.2.1' }],
    },
  },
  pods: { metadata, spec: podSpec },
  services: {
    metadata,
    spec: {
      type: 'NodePort',
      clusterIP: '10.96.1.1',
      clusterIPs: ['10.96.1.1'],
      ports: [{ name: 'a', port: 80, targetPort: 'http', protocol: 'TCP', nodePort: 30080 }],
      selector: { a: 'b' },
      sessionAffinity: 'ClientIP',
      sessionAffinityConfig: { clientIP: { timeoutSeconds: 5 } },
      externalIPs: ['192.0.2.1'],
      ipFamilies: ['IPv4'],
      ipFamilyPolicy: 'SingleStack',
      externalTrafficPolicy: 'Local',
      internalTrafficPolicy: 'Local',
    },
  },
  endpoints: {
    metadata,
    subsets: [
      {
        addresses: [{ ip: '192.0.2.1', hostname: 'a', targetRef: { kind: 'Pod', name: 'p' } }],
        notReadyAddresses: [{ ip: '192.0.2.2' }],
        ports: [{ name: 'a', port: 80, protocol: 'TCP' }],
      },
    ],
  },
  configmaps: { metadata, data: { a: 'b' }, binaryData: { c: 'ZA==' }, immutable: true },
  secrets: {
    metadata,
    type: 'kubernetes.io/dockerconfigjson',
    data: { '.dockerconfigjson': 'e30=' },
    immutable: true,
  },
  serviceaccounts: { metadata, secrets: [{ name: 's' }], imagePullSecrets: [{ name: 's' }] },
  events: {
    metadata,
    involvedObject: { kind: 'Pod', namespace: 'default', name: 'p' },
    source: { component: 'c' },
    reason: 'r',
    message: 'm',
    count: 1,
    series: { count: 2 },
  },
  deployments: {
    metadata,
    spec: {
      replicas: 1,
      selector,
      template,
      minReadySeconds: 1,
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: '25%' } },
    },
  },
  replicasets: { metadata, spec: { replicas: 1, selector, template } },
  endpointslices: {
    metadata,
    addressType: 'IPv4',
    endpoints: [{ addresses: ['192.0.2.1'], hostname: 'a', conditions: { ready: true } }],
    ports: [{ name: 'a', port: 80, protocol: 'TCP' }],
  },
  leases: { metadata, spec: { holderIdentity: 'h', leaseDurationSeconds: 1, leaseTransitions: 1 } },
  certificatesigningrequests: {
    metadata,
    spec: { request, signerName: 'a.example/b', usages: ['client auth'], expirationSeconds: 600 },
  },
};

/** Versions of one kind share their names: each has its own here. */
const nameOf = (body: object): string => (body as { metadata: { name: string } }).metadata.name;
const named = (name: string, body: object): object => ({ ...body, metadata: { ...metadata, name } });

const path = (backend: object) => ({ path: '/a', pathType: 'Prefix', backend });
const resourceBackend = { resource: { apiGroup: 'g.io', kind: 'K', name: 'n' } };
const oldIngress = {
  metadata,
  spec: {
    backend: { serviceName: 'web', servicePort: 80 },
    tls: [{ hosts: ['a.example.com'], secretName: 's' }],
    rules: [{ host: '*.example.com', http: { paths: [path({ serviceName: 'web', servicePort: 'http' })] } }],
  },
};
const event = {
  metadata,
  eventTime: '2026-01-01T00:00:00.000000Z',
  series: { count: 2, lastObservedTime: '2026-01-01T00:00:00.000000Z' },
  reportingController: 'a.io/b',
  reportingInstance: 'i',
  action: 'a',
  reason: 'r',
  type: 'Normal',
  note: 'n',
  regarding: { kind: 'Pod', namespace: 'default', name: 'p' },
  related: { kind: 'Node', name: 'n' },
};
const volumeSpec = {
  capacity: { storage: '1Gi' },
  accessModes: ['ReadWriteOnce'],
  persistentVolumeReclaimPolicy: 'Retain',
  storageClassName: 'c',
  volumeMode: 'Filesystem',
  volumeAttributesClassName: 'v',
  nodeAffinity: { required: { nodeSelectorTerms: [nodeTerm] } },
  claimRef: { namespace: 'default', name: 'c' },
  csi: { driver: 'd.io', volumeHandle: 'h', nodePublishSecretRef: { name: 's', namespace: 'n' } },
};
const rule = { verbs: ['get'], apiGroups: [''], resources: ['pods'], resourceNames: ['a'] };
const subjects = [
  { kind: 'User', name: 'joe', apiGroup: 'rbac.authorization.k8s.io' },
  { kind: 'ServiceAccount', name: 's', namespace: 'default' },
];
const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'view' };
const limit = { max: { cpu: '4' }, min: { cpu: '1' }, default: { cpu: '2' }, defaultRequest: { cpu: '1' } };

const moreBodies: Record<string, object> = {
  ingresses: {
    metadata,
    spec: {
      ingressClassName: 'c',
      defaultBackend: resourceBackend,
      tls: [{ hosts: ['a.example.com'], secretName: 's' }],
      rules: [
        {
          host: 'a.example.com',
          http: { paths: [path({ service: { name: 'web', port: { number: 80 } } }), path(resourceBackend)] },
        },
      ],
    },
  },
  'extensions/v1beta1/ingresses': named('b', oldIngress),
  'networking.k8s.io/v1beta1/ingresses': named('c', oldIngress),
  ingressclasses: {
    metadata,
    spec: {
      controller: 'a.io/b',
      parameters: { apiGroup: 'g.io', kind: 'K', name: 'n', scope: 'Namespace', namespace: 'default' },
    },
  },
  networkpolicies: {
    metadata,
    spec: {
      podSelector: selector,
      policyTypes: ['Ingress', 'Egress'],
      ingress: [
        {
          ports: [{ port: 80, endPort: 90, protocol: 'TCP' }],
          from: [{ podSelector: selector, namespaceSelector: selector }],
        },
      ],
      egress: [{ to: [{ ipBlock: { cidr: '10.0.0.0/8', except: ['10.1.0.0/16'] } }] }],
    },
  },
  servicecidrs: { metadata, spec: { cidrs: ['10.0.0.0/24'] } },
  'discovery.k8s.io/v1beta1/endpointslices': {
    metadata: { ...metadata, name: 'b' },
    addressType: 'IPv4',
    endpoints: [{ addresses: ['10.0.0.1'], topology: { 'kubernetes.io/hostname': 'n' }, nodeName: 'n' }],
    ports: [{ name: 'http', port: 80, protocol: 'TCP', appProtocol: 'http' }],
  },
  'events.k8s.io/v1/events': named('b', event),
  'events.k8s.io/v1beta1/events': named('c', event),
  persistentvolumes: { metadata, spec: volumeSpec },
  persistentvolumeclaims: {
    metadata,
    spec: {
      accessModes: ['ReadWriteOnce'],
      selector,
      resources: { requests: { storage: '1Gi' }, limits: { storage: '2Gi' } },
      storageClassName: 'c',
      volumeMode: 'Filesystem',
      dataSource: { kind: 'PersistentVolumeClaim', name: 'p' },
      dataSourceRef: { kind: 'PersistentVolumeClaim', name: 'p' },
    },
  },
  storageclasses: {
    metadata,
    provisioner: 'a.io/b',
    parameters: { a: 'b' },
    reclaimPolicy: 'Delete',
    volumeBindingMode: 'Immediate',
    allowedTopologies: [{ matchLabelExpressions: [{ key: 'zone', values: ['a'] }] }],
  },
  volumeattachments: {
    metadata,
    spec: { attacher: 'd.io', nodeName: 'n', source: { persistentVolumeName: 'v' } },
  },
  csidrivers: {
    metadata,
    spec: {
      tokenRequests: [{ audience: 'a', expirationSeconds: 600 }],
      volumeLifecycleModes: ['Persistent'],
      fsGroupPolicy: 'File',
    },
  },
  csinodes: {
    metadata,
    spec: { drivers: [{ name: 'd.io', nodeID: 'n', topologyKeys: ['zone'], allocatable: { count: 1 } }] },
  },
  csistoragecapacities: { metadata, storageClassName: 'c', capacity: '1Gi', nodeTopology: selector },
  volumeattributesclasses: { metadata, driverName: 'd.io', parameters: { a: 'b' } },
  limitranges: {
    metadata,
    spec: { limits: [{ type: 'Container', ...limit, maxLimitRequestRatio: { cpu: '4' } }] },
  },
  resourcequotas: {
    metadata,
    spec: {
      hard: { pods: '1', 'limits.cpu': '2' },
      scopes: ['NotTerminating'],
      scopeSelector: { matchExpressions: [{ scopeName: 'PriorityClass', operator: 'In', values: ['a'] }] },
    },
  },
  roles: { metadata, rules: [rule] },
  clusterroles: {
    metadata,
    rules: [rule, { verbs: ['get'], nonResourceURLs: ['/x'] }],
    aggregationRule: { clusterRoleSelectors: [selector] },
  },
  rolebindings: { metadata, roleRef, subjects },
  clusterrolebindings: { metadata, roleRef, subjects },
  priorityclasses: { metadata, value: 1, preemptionPolicy: 'Never', description: 'd' },
  runtimeclasses: {
    metadata,
    handler: 'h',
    overhead: { podFixed: { cpu: '1' } },
    scheduling: { nodeSelector: { a: 'b' }, tolerations: [{ key: 'a', operator: 'Exists' }] },
  },
};

/** Every path in the value, the way to it first. */
function* pathsOf(value: unknown, path: string[] = []): Generator<string[]> {
  if (typeof value !== 'object' || value === null) return;
  for (const [key, child] of Object.entries(value)) {
    yield [...path, key];
    yield* pathsOf(child, [...path, key]);
  }
}

const replacements = [undefined, '', 0, {}, [], [null]];

function replaced(body: object, path: readonly string[], value: unknown): object {
  const copy = structuredClone(body);
  const parent = path
    .slice(0, -1)
    .reduce<Record<string, unknown>>(
      (at, key) => at[key] as Record<string, unknown>,
      copy as Record<string, unknown>,
    );
  const last = path.at(-1) ?? '';
  if (value === undefined && !Array.isArray(parent)) delete parent[last];
  else parent[last] = value;
  return copy;
}

const context = contextOf({ dryRun: true, fieldValidation: 'Ignore' });

/** 400, 409 for another uid or version, or 422 that names its fields. */
function isRefusal(error: unknown): boolean {
  if (!(error instanceof ApiError)) return false;
  const causes = error.details?.causes ?? [];
  return [400, 409].includes(error.code) || (error.code === 422 && causes.every(({ field }) => field));
}

/** By its plural name, or by group, version and name where that is another version than the one that is stored. */
function rowNamed(name: string): ReturnType<typeof rowOf> {
  const [group = '', version = '', resource] = name.split('/');
  if (resource === undefined) return rowOf(name);
  const found = registry.resources.at(group, version, resource);
  if (!found) throw new Error(`no ${name}`);
  return found;
}

for (const [name, body] of [...Object.entries(bodies), ...Object.entries(moreBodies)]) {
  t.test(name, async (t) => {
    const row = rowNamed(name);
    const namespace = row.type.namespaced ? 'default' : undefined;
    const create = (value: unknown) => registry.create(row, namespace, value, context);
    const update = (value: unknown) =>
      registry.update(row, { namespace, name: nameOf(body) }, value, context);
    const bad: string[] = [];
    async function tryAll(send: typeof create, values: readonly unknown[]): Promise<void> {
      for (const path of pathsOf(body)) {
        for (const value of values) {
          try {
            const { object } = await send(replaced(body, path, value));
            row.printer.cells(object, new Date(0));
          } catch (error) {
            if (isRefusal(error)) continue;
            const why = error instanceof Error ? error.stack : String(error);
            bad.push(`${path.join('.')} = ${JSON.stringify(value)}: ${why}`);
          }
        }
      }
    }
    await tryAll(create, replacements);
    await registry.create(row, namespace, body, contextOf());
    await tryAll(update, [undefined, {}]);
    t.same(bad.slice(0, 6), []);
  });
}
