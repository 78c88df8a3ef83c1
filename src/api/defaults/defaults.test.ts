import t from 'tap';
import type { KubeObject } from '../types.js';
import { defaultsFor } from './defaults.js';
import { hasLatestTag } from './image.js';

/** Fills in the defaults twice; the second time must change nothing. */
function defaulted(key: string, spec: object): Record<string, unknown> {
  const [group = '', kind = ''] = key.split('/');
  const object: KubeObject = { metadata: { name: 'a' }, ...spec };
  const fill = defaultsFor({ group, kind });
  fill(object);
  const once = structuredClone(object);
  fill(object);
  t.same(object, once, `defaults of ${kind} are idempotent`);
  const { metadata, ...rest } = object;
  return { ...rest };
}

const podDefaults = {
  restartPolicy: 'Always',
  terminationGracePeriodSeconds: 30,
  dnsPolicy: 'ClusterFirst',
  schedulerName: 'default-scheduler',
  securityContext: {},
};
const containerDefaults = {
  terminationMessagePath: '/dev/termination-log',
  terminationMessagePolicy: 'File',
  imagePullPolicy: 'Always',
};

t.test('pods', async (t) => {
  const limits = { cpu: '100u', memory: '1Gi' };
  const probe = { httpGet: { port: 80 } };
  const containers = [
    {
      name: 'c',
      image: 'nginx',
      ports: [{ containerPort: 80 }],
      resources: { limits, requests: { memory: '1Mi' } },
      livenessProbe: probe,
    },
  ];
  t.same(defaulted('/Pod', { spec: { containers, serviceAccount: 'x', hostNetwork: true } }), {
    spec: {
      ...podDefaults,
      enableServiceLinks: true,
      hostNetwork: true,
      serviceAccount: 'x',
      serviceAccountName: 'x',
      containers: [
        {
          name: 'c',
          image: 'nginx',
          ...containerDefaults,
          ports: [{ containerPort: 80, hostPort: 80, protocol: 'TCP' }],
          resources: { limits: { cpu: '1m', memory: '1Gi' }, requests: { cpu: '1m', memory: '1Mi' } },
          livenessProbe: {
            httpGet: { port: 80, path: '/', scheme: 'HTTP' },
            timeoutSeconds: 1,
            periodSeconds: 10,
            successThreshold: 1,
            failureThreshold: 3,
          },
        },
      ],
    },
  });
});

t.test('volumes and references', async (t) => {
  const env = [{ name: 'A', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }];
  const volumes = [
    { name: 'a' },
    { name: 'b', configMap: { name: 'x' } },
    { name: 'c', hostPath: { path: '/x' } },
    { name: 'd', projected: { sources: [{ serviceAccountToken: { path: 't' } }] } },
    { name: 'e', secret: { secretName: 's', defaultMode: 0 } },
  ];
  t.match(defaulted('/Pod', { spec: { containers: [{ name: 'c', image: 'a:1', env }], volumes } }), {
    spec: {
      containers: [
        {
          imagePullPolicy: 'IfNotPresent',
          resources: {},
          env: [{ valueFrom: { fieldRef: { apiVersion: 'v1' } } }],
        },
      ],
      volumes: [
        { name: 'a', emptyDir: {} },
        { name: 'b', configMap: { name: 'x', defaultMode: 420 } },
        { name: 'c', hostPath: { path: '/x', type: '' } },
        {
          name: 'd',
          projected: { defaultMode: 420, sources: [{ serviceAccountToken: { expirationSeconds: 3600 } }] },
        },
        { name: 'e', secret: { defaultMode: 0 } },
      ],
    },
  });
});

t.test('image tags', async (t) => {
  for (const image of ['nginx', 'nginx:latest', 'registry:5000/nginx', 'a/b'])
    t.ok(hasLatestTag(image), image);
  for (const image of ['nginx:1', 'nginx@sha256:0', 'registry:5000/nginx:1', 'nginx:1@sha256:0'])
    t.notOk(hasLatestTag(image), image);
});

t.test('services', async (t) => {
  const common = { sessionAffinity: 'None', internalTrafficPolicy: 'Cluster' };
  t.same(defaulted('/Service', { spec: { ports: [{ port: 80 }] } }), {
    spec: { ...common, type: 'ClusterIP', ports: [{ port: 80, protocol: 'TCP', targetPort: 80 }] },
  });
  t.same(defaulted('/Service', { spec: { type: 'NodePort', sessionAffinity: 'ClientIP' } }), {
    spec: {
      type: 'NodePort',
      sessionAffinity: 'ClientIP',
      sessionAffinityConfig: { clientIP: { timeoutSeconds: 10_800 } },
      externalTrafficPolicy: 'Cluster',
      internalTrafficPolicy: 'Cluster',
    },
  });
  t.same(defaulted('/Service', { spec: { type: 'ExternalName' } }), {
    spec: { type: 'ExternalName', sessionAffinity: 'None' },
  });
  t.match(defaulted('/Service', { spec: { type: 'LoadBalancer' } }), {
    spec: { allocateLoadBalancerNodePorts: true },
  });
  t.same(defaulted('/Endpoints', { subsets: [{ ports: [{ port: 1 }] }] }), {
    subsets: [{ ports: [{ port: 1, protocol: 'TCP' }] }],
  });
  t.same(defaulted('discovery.k8s.io/EndpointSlice', { ports: [{ port: 1 }] }), {
    ports: [{ port: 1, name: '', protocol: 'TCP' }],
  });
});

t.test('workloads', async (t) => {
  const template = { metadata: {}, spec: { ...podDefaults, containers: [] } };
  t.same(defaulted('apps/Deployment', { spec: { selector: {}, template: {} } }), {
    spec: {
      selector: {},
      replicas: 1,
      revisionHistoryLimit: 10,
      progressDeadlineSeconds: 600,
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: '25%', maxSurge: '25%' } },
      template,
    },
  });
  t.match(defaulted('apps/Deployment', { spec: { replicas: 0, strategy: { type: 'Recreate' } } }), {
    spec: { replicas: 0, strategy: { type: 'Recreate', rollingUpdate: undefined } },
  });
  t.same(defaulted('apps/ReplicaSet', { spec: { selector: {} } }), {
    spec: { selector: {}, replicas: 1, template },
  });
});

t.test('core kinds', async (t) => {
  t.same(defaulted('/Secret', { data: { a: 'YQ==' }, stringData: { a: 'ü', b: '' } }), {
    type: 'Opaque',
    data: { a: 'w7w=', b: '' },
  });
  t.same(defaulted('/Node', { status: { capacity: { cpu: '2' } } }), {
    status: { capacity: { cpu: '2' }, allocatable: { cpu: '2' } },
  });
  t.same(defaulted('/ConfigMap', {}), {});
  const namespace: KubeObject = { metadata: { name: 'n', labels: { a: 'b' } } };
  defaultsFor({ group: '', kind: 'Namespace' })(namespace);
  t.same(namespace, {
    metadata: { name: 'n', labels: { a: 'b', 'kubernetes.io/metadata.name': 'n' } },
    status: { phase: 'Active' },
  });
});
