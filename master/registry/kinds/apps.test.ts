import t from 'tap';
import { createFakeClock } from '../../../src/testing/clock.js';
import { causesOf, contextOf, createTestRegistry } from '../testing.js';

const context = contextOf();
const dry = contextOf({ dryRun: true });
const ref = { namespace: 'default', name: 'a' };
const { registry, rowOf } = await createTestRegistry({ clock: createFakeClock() });
const containers = [{ name: 'main', image: 'nginx' }];
const labels = { app: 'a' };
const template = { metadata: { labels }, spec: { containers } };
const spec = (more: object = {}): object => ({ selector: { matchLabels: labels }, template, ...more });
const refusal = (kind: string, given: object, name = 'a') =>
  causesOf(registry.create(rowOf(kind), 'default', { metadata: { name }, ...given }, dry));
const negative = 'must be greater than or equal to 0';

const podDefaults = {
  restartPolicy: 'Always',
  terminationGracePeriodSeconds: 30,
  dnsPolicy: 'ClusterFirst',
  schedulerName: 'default-scheduler',
  securityContext: {},
  containers: [
    {
      name: 'main',
      image: 'nginx',
      imagePullPolicy: 'Always',
      terminationMessagePath: '/dev/termination-log',
      terminationMessagePolicy: 'File',
      resources: {},
    },
  ],
};
const fullTemplate = { metadata: { labels }, spec: podDefaults };

async function createdSpec(kind: string, given: object): Promise<unknown> {
  const { object } = await registry.create(
    rowOf(kind),
    'default',
    { metadata: { name: 'd' }, status: { replicas: 9 }, ...given },
    dry,
  );
  return (object as { spec?: unknown }).spec;
}

t.test('defaults', async (t) => {
  t.same(await createdSpec('daemonsets', { spec: spec(), status: undefined }), {
    selector: { matchLabels: labels },
    template: fullTemplate,
    revisionHistoryLimit: 10,
    updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 1, maxSurge: 0 } },
  });
  const claim = { metadata: { name: 'data' }, spec: { accessModes: ['ReadWriteOnce'] } };
  t.same(await createdSpec('statefulsets', { spec: spec({ volumeClaimTemplates: [claim] }) }), {
    selector: { matchLabels: labels },
    template: fullTemplate,
    replicas: 1,
    revisionHistoryLimit: 10,
    podManagementPolicy: 'OrderedReady',
    updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 0, maxUnavailable: 1 } },
    persistentVolumeClaimRetentionPolicy: { whenDeleted: 'Retain', whenScaled: 'Retain' },
    volumeClaimTemplates: [
      {
        apiVersion: 'v1',
        kind: 'PersistentVolumeClaim',
        metadata: { name: 'data' },
        spec: { accessModes: ['ReadWriteOnce'], volumeMode: 'Filesystem' },
        status: { phase: 'Pending' },
      },
    ],
  });
  t.same(await createdSpec('replicationcontrollers', { spec: { template } }), {
    replicas: 1,
    selector: labels,
    template: fullTemplate,
  });
  const { object } = await registry.create(
    rowOf('replicationcontrollers'),
    'default',
    { metadata: { name: 'd' }, spec: { template } },
    dry,
  );
  t.same(object.metadata.labels, labels, 'a replication controller has the labels of its template');
});

t.test('daemon sets', async (t) => {
  const rolling = (rollingUpdate: object): object => ({
    updateStrategy: { type: 'RollingUpdate', rollingUpdate },
  });
  const at = 'spec.updateStrategy.rollingUpdate';
  const cases: [object, string[]][] = [
    [{ selector: {} }, ['spec.selector: Invalid value: {}: empty selector is invalid for daemonset']],
    [
      { selector: { matchLabels: { app: 'b' } } },
      [
        'spec.template.metadata.labels: Invalid value: {"app":"a"}: `selector` does not match template `labels`',
      ],
    ],
    [
      { template: { ...template, spec: { containers, restartPolicy: 'Never', activeDeadlineSeconds: 3 } } },
      [
        'spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"',
        'spec.template.spec.activeDeadlineSeconds: Forbidden: activeDeadlineSeconds in DaemonSet is not Supported',
      ],
    ],
    [
      { updateStrategy: { type: 'Sudden' } },
      [
        'spec.updateStrategy: Unsupported value: {"type":"Sudden"}: supported values: "RollingUpdate", "OnDelete"',
      ],
    ],
    [
      rolling({ maxUnavailable: 0 }),
      [`${at}.maxUnavailable: Required value: cannot be 0 when maxSurge is 0`],
    ],
    [
      rolling({ maxUnavailable: 1, maxSurge: '10%' }),
      [`${at}.maxSurge: Invalid value: "10%": may not be set when maxUnavailable is non-zero`],
    ],
    [
      rolling({ maxUnavailable: '150%' }),
      [`${at}.maxUnavailable: Invalid value: "150%": must not be greater than 100%`],
    ],
    [{ minReadySeconds: -1 }, [`spec.minReadySeconds: Invalid value: -1: ${negative}`]],
    [{ revisionHistoryLimit: -1 }, [`spec.revisionHistoryLimit: Invalid value: -1: ${negative}`]],
  ];
  for (const [more, expected] of cases)
    t.same(await refusal('daemonsets', { spec: spec(more) }), expected, JSON.stringify(more));

  const row = rowOf('daemonsets');
  await registry.create(row, 'default', { metadata: { name: 'a' }, spec: spec() }, context);
  const change = (body: object, subresource?: string) =>
    registry.patch(row, ref, { type: 'merge', body }, context, subresource);
  const other = { selector: { matchLabels: { app: 'b' } }, template: { metadata: { labels: { app: 'b' } } } };
  t.same(await causesOf(change({ spec: other })), [
    'spec.selector: Invalid value: {"matchLabels":{"app":"b"}}: field is immutable',
  ]);
  t.same(await causesOf(change({ status: { numberReady: -1 } }, 'status')), [
    `status.numberReady: Invalid value: -1: ${negative}`,
  ]);
  await change({ status: { numberReady: 2, collisionCount: 2 } }, 'status');
  t.same(await causesOf(change({ status: { collisionCount: 1 } }, 'status')), [
    'status.collisionCount: Invalid value: 1: cannot be decremented',
  ]);
  const { object } = await change({ spec: { minReadySeconds: 3 }, status: { numberReady: 9 } });
  t.match(object, { metadata: { generation: 2 }, status: { numberReady: 2 } }, 'status is kept');
});

t.test('stateful sets', async (t) => {
  const mounts = [{ name: 'data', mountPath: '/data' }];
  const mounting = { ...template, spec: { containers: [{ ...containers[0], volumeMounts: mounts }] } };
  const claims = [{ metadata: { name: 'data' }, spec: {} }];
  const cases: [object, string[]][] = [
    [{ template: mounting, volumeClaimTemplates: claims }, []],
    [{ template: mounting }, ['spec.template.spec.containers[0].volumeMounts[0].name: Not found: "data"']],
    [
      { podManagementPolicy: 'Random' },
      ["spec.podManagementPolicy: Invalid value: \"Random\": must be 'OrderedReady' or 'Parallel'"],
    ],
    [
      { updateStrategy: { type: 'OnDelete', rollingUpdate: { partition: 1 } } },
      [
        'spec.updateStrategy.rollingUpdate: Invalid value: {"partition":1}: only allowed for updateStrategy \'RollingUpdate\'',
      ],
    ],
    [
      { updateStrategy: { type: 'Sudden' } },
      ['spec.updateStrategy: Invalid value: {"type":"Sudden"}: must be \'RollingUpdate\' or \'OnDelete\''],
    ],
    [
      { updateStrategy: { rollingUpdate: { partition: -1, maxUnavailable: 0 } } },
      [
        `spec.updateStrategy.rollingUpdate.partition: Invalid value: -1: ${negative}`,
        'spec.updateStrategy.rollingUpdate.maxUnavailable: Invalid value: 0: cannot be 0',
      ],
    ],
    [
      { persistentVolumeClaimRetentionPolicy: { whenScaled: 'Keep' } },
      [
        'spec.persistentVolumeClaimRetentionPolicy.whenScaled: Unsupported value: "Keep": supported values: "Retain", "Delete"',
      ],
    ],
    [{ ordinals: { start: -1 } }, [`spec.ordinals.start: Invalid value: -1: ${negative}`]],
    [
      { selector: undefined },
      [
        'spec.selector: Required value',
        'spec.template.metadata.labels: Invalid value: {"app":"a"}: `selector` does not match template `labels`',
      ],
    ],
  ];
  for (const [more, expected] of cases)
    t.same(await refusal('statefulsets', { spec: spec(more) }), expected, JSON.stringify(more));
  t.same(await refusal('statefulsets', { spec: spec() }, 'a.b'), [
    'metadata.name: Invalid value: "a.b": must not contain dots',
  ]);

  const row = rowOf('statefulsets');
  await registry.create(row, 'default', { metadata: { name: 'a' }, spec: spec() }, context);
  const change = (body: object, subresource?: string) =>
    registry.patch(row, ref, { type: 'merge', body }, context, subresource);
  t.same(await causesOf(change({ spec: { serviceName: 'b' } })), [
    "spec: Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
  ]);
  const allowed = { replicas: 3, minReadySeconds: 4, revisionHistoryLimit: 2, ordinals: { start: 1 } };
  t.match((await change({ spec: allowed })).object, { spec: allowed, metadata: { generation: 2 } });
  t.same(await causesOf(change({ status: { replicas: 1, readyReplicas: 2 } }, 'status')), [
    'status.readyReplicas: Invalid value: 2: cannot be greater than status.replicas',
  ]);
  t.same(
    await causesOf(change({ status: { replicas: 2, readyReplicas: 1, availableReplicas: 2 } }, 'status')),
    ['status.availableReplicas: Invalid value: 2: cannot be greater than status.readyReplicas'],
  );
  const scaled = await registry.patch(
    row,
    ref,
    { type: 'merge', body: { spec: { replicas: 5 } } },
    dry,
    'scale',
  );
  t.match(scaled.object, { kind: 'Scale', spec: { replicas: 5 }, status: { selector: 'app=a' } });
});

t.test('controller revisions never change', async (t) => {
  const row = rowOf('controllerrevisions');
  t.same(await refusal('controllerrevisions', { revision: 1 }), ['data: Required value: data is mandatory']);
  t.same(await refusal('controllerrevisions', { revision: -1, data: {} }), [
    `revision: Invalid value: -1: ${negative}`,
  ]);
  await registry.create(row, 'default', { metadata: { name: 'a' }, revision: 1, data: { a: 1 } }, context);
  const change = (body: object) => registry.patch(row, ref, { type: 'merge', body }, context);
  t.same(await causesOf(change({ data: { a: 2 } })), ['data: Invalid value: {"a":2}: field is immutable']);
  t.match((await change({ revision: 2 })).object, { revision: 2, data: { a: 1 } });
});

t.test('replication controllers', async (t) => {
  const row = rowOf('replicationcontrollers');
  const cases: [object, string[]][] = [
    [{ selector: { a: 'b' } }, ['spec.template: Required value']],
    [{ template: { spec: { containers } } }, ['spec.selector: Required value']],
    [
      { selector: { app: 'b' }, template },
      [
        'spec.template.metadata.labels: Invalid value: {"app":"a"}: `selector` does not match template `labels`',
      ],
    ],
    [{ replicas: -1, template }, [`spec.replicas: Invalid value: -1: ${negative}`]],
  ];
  for (const [given, expected] of cases)
    t.same(await refusal('replicationcontrollers', { spec: given }), expected, JSON.stringify(given));
  await registry.create(row, 'default', { metadata: { name: 'a' }, spec: { template } }, context);
  const view = await registry.get(row, ref, context, 'scale');
  t.match(view.object, { spec: { replicas: 1 }, status: { selector: 'app=a' } });
});

t.test('pod templates count their generations', async (t) => {
  const row = rowOf('podtemplates');
  t.same(await refusal('podtemplates', { template: { spec: { containers: [] } } }), [
    'template.spec.containers: Required value',
  ]);
  await registry.create(row, 'default', { metadata: { name: 'a' }, template }, context);
  const change = (body: object) => registry.patch(row, ref, { type: 'merge', body }, context);
  t.equal((await change({ metadata: { labels } })).object.metadata.generation, 1);
  t.equal((await change({ template: { metadata: { labels: { app: 'b' } } } })).object.metadata.generation, 2);
});

t.test('warnings', async (t) => {
  const env = [
    { name: 'A', value: '1' },
    { name: 'A', value: '2' },
    { name: 'B', value: '1' },
    { name: 'B', value: '$(B)2' },
  ];
  const ports = [{ containerPort: 80 }, { containerPort: 80, hostPort: 8080 }];
  const odd = {
    containers: [{ ...containers[0], env, ports, resources: { limits: { memory: '100m' } } }],
    nodeSelector: { 'beta.kubernetes.io/os': 'linux' },
    terminationGracePeriodSeconds: -1,
    hostAliases: [{ ip: '10.0.0.1' }, { ip: '10.0.0.1' }],
    imagePullSecrets: [{ name: 'a' }, { name: 'a' }],
    topologySpreadConstraints: [{ maxSkew: 1, topologyKey: 'zone', whenUnsatisfiable: 'DoNotSchedule' }],
  };
  const seen = contextOf({ dryRun: true });
  const annotations = { 'security.alpha.kubernetes.io/sysctls': 'a=b' };
  const given = { metadata: { labels, annotations }, spec: odd };
  await registry.create(
    rowOf('deployments'),
    'default',
    { metadata: { name: 'a.b' }, spec: spec({ template: given }) },
    seen,
  );
  const at = 'spec.template.spec';
  t.same(seen.warnings, [
    'metadata.name: this is used in Pod names and hostnames, which can result in surprising behavior; a DNS label is recommended: [must not contain dots]',
    `${at}.nodeSelector[beta.kubernetes.io/os]: deprecated since v1.14; use "kubernetes.io/os" instead`,
    `${at}.topologySpreadConstraints[0].labelSelector: a null labelSelector results in matching no pod`,
    'spec.template.metadata.annotations[security.alpha.kubernetes.io/sysctls]: non-functional in v1.11+; use the "sysctls" field instead',
    `${at}.hostAliases[1].ip: duplicate ip "10.0.0.1"`,
    `${at}.imagePullSecrets[1].name: duplicate name "a"`,
    `${at}.containers[0].resources.limits[memory]: fractional byte value "100m" is invalid, must be an integer`,
    `${at}.containers[0].env[1]: hides previous definition of "A", which may be dropped when using apply`,
    `${at}.containers[0].ports[1]: overlapping port definition with ${at}.containers[0].ports[0]`,
    `${at}.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated as 1`,
  ]);
  const later = contextOf();
  const row = rowOf('deployments');
  await registry.create(
    row,
    'default',
    { metadata: { name: 'w' }, spec: spec({ template: given }) },
    contextOf(),
  );
  const named = { namespace: 'default', name: 'w' };
  await registry.patch(row, named, { type: 'merge', body: { status: { replicas: 1 } } }, later, 'status');
  t.same(later.warnings, [], 'a status update warns of nothing');
});

t.test('warnings of volumes', async (t) => {
  const items = ['a', 'a/b'].map((path) => ({ key: 'k', path }));
  const volumes = [
    { name: 'v', configMap: { name: 'c', items } },
    {
      name: 'p',
      projected: {
        sources: [{ secret: { name: 's', items: [items[0]] } }, { serviceAccountToken: { path: 'a' } }],
      },
    },
  ];
  const seen = contextOf({ dryRun: true });
  const given = { metadata: { labels }, spec: { containers, volumes } };
  await registry.create(
    rowOf('daemonsets'),
    'default',
    { metadata: { name: 'v' }, spec: spec({ template: given }) },
    seen,
  );
  t.same(seen.warnings, [
    'volume "v" (ConfigMap "c"): overlapping paths: "a/b" with "a"',
    'volume "p" (Projected ServiceAccountToken): overlapping paths: "a" with "a"',
  ]);
});
