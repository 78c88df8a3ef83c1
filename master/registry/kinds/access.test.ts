import t from 'tap';
import type { Event, KubeObject, LimitRange, RoleBinding } from '../../../src/api/types.js';
import { createFakeClock } from '../../../src/testing/clock.js';
import { causesOf, contextOf, createTestRegistry } from '../testing.js';
import { componentStatusesOf } from './componentstatus.js';

const rbac = 'rbac.authorization.k8s.io';
const virtuals = new Map([
  [
    'componentstatuses.',
    componentStatusesOf({
      scheduler: () => ({ ok: true, reason: '' }),
      'etcd-0': () => ({ ok: false, reason: 'disk full' }),
    }),
  ],
]);
const { registry, rowOf } = await createTestRegistry({ clock: createFakeClock(), virtuals });
const rowAt = (group: string, version: string, resource: string) => {
  const row = registry.resources.at(group, version, resource);
  if (!row) throw new Error(`no ${resource} in ${group}/${version}`);
  return row;
};
const refOf = (kind: string, name = 'a') =>
  rowOf(kind).type.namespaced ? { namespace: 'default', name } : { name };
const create = (kind: string, body: object, context = contextOf({ dryRun: true })) =>
  registry.create(
    rowOf(kind),
    rowOf(kind).type.namespaced ? 'default' : undefined,
    { metadata: { name: 'a' }, ...body },
    context,
  );
const merge = (kind: string, body: object, subresource?: string) =>
  registry.patch(rowOf(kind), refOf(kind), { type: 'merge', body }, contextOf(), subresource);
const codeOf = async (write: Promise<unknown>): Promise<unknown> =>
  write.then(
    () => 'done',
    (error: { reason: string; message: string }) => error.message,
  );

const roleRef = { kind: 'ClusterRole', name: 'view' };
const limits = (item: object) => ({ spec: { limits: [{ type: 'Container', ...item }] } });
const hard = (list: object, more: object = {}) => ({ spec: { hard: list, ...more } });

const cases: [string, object, string[]][] = [
  ['roles', { metadata: { name: 'a:b' }, rules: [] }, []],
  ['roles', { metadata: { name: 'a/b' } }, [`metadata.name: Invalid value: "a/b": may not contain '/'`]],
  [
    'roles',
    { rules: [{}] },
    [
      'rules[0].verbs: Required value: verbs must contain at least one value',
      'rules[0].apiGroups: Required value: resource rules must supply at least one api group',
      'rules[0].resources: Required value: resource rules must supply at least one resource',
    ],
  ],
  [
    'roles',
    { rules: [{ verbs: ['get'], nonResourceURLs: ['/x'] }] },
    ['rules[0].nonResourceURLs: Invalid value: ["/x"]: namespaced rules cannot apply to non-resource URLs'],
  ],
  ['clusterroles', { rules: [{ verbs: ['get'], nonResourceURLs: ['/x'] }] }, []],
  [
    'clusterroles',
    { aggregationRule: {} },
    [
      'aggregationRule.clusterRoleSelectors: Required value: at least one clusterRoleSelector required if aggregationRule is non-nil',
    ],
  ],
  [
    'rolebindings',
    { roleRef: { apiGroup: 'x', kind: 'Pod', name: '' } },
    [
      `roleRef.apiGroup: Unsupported value: "x": supported values: "${rbac}"`,
      'roleRef.kind: Unsupported value: "Pod": supported values: "Role", "ClusterRole"',
      'roleRef.name: Required value',
    ],
  ],
  [
    'clusterrolebindings',
    {
      roleRef,
      subjects: [
        { kind: 'ServiceAccount', name: 'a' },
        { kind: 'Robot', name: 'r' },
      ],
    },
    [
      'subjects[0].namespace: Required value',
      'subjects[1].kind: Unsupported value: "Robot": supported values: "ServiceAccount", "User", "Group"',
    ],
  ],
  [
    'priorityclasses',
    { value: 2_000_000_000 },
    ['value: Forbidden: maximum allowed value of a user defined priority is 1000000000'],
  ],
  [
    'priorityclasses',
    { metadata: { name: 'system-mine' }, value: 1 },
    [
      "metadata.name: Forbidden: priority class names with 'system-' prefix are reserved for system use only. error: system-mine is not a known system priority class",
    ],
  ],
  ['priorityclasses', { metadata: { name: 'system-node-critical' }, value: 2_000_001_000 }, []],
  [
    'priorityclasses',
    { value: 1, preemptionPolicy: 'Always' },
    ['preemptionPolicy: Unsupported value: "Always": supported values: "Never", "PreemptLowerPriority"'],
  ],
  ['runtimeclasses', { handler: 'a.b' }, ['handler: Invalid value: "a.b": must not contain dots']],
  [
    'limitranges',
    limits({ min: { cpu: '2' }, max: { cpu: '1' } }),
    [
      'spec.limits[0].min[cpu]: Invalid value: "2": min value 2 is greater than max value 1',
      'spec.limits[0].default[cpu]: Invalid value: "2": min value 2 is greater than default value 1',
      'spec.limits[0].defaultRequest[cpu]: Invalid value: "1": min value 2 is greater than default request value 1',
    ].sort(),
  ],
  [
    'limitranges',
    { spec: { limits: [{ type: 'Pod', default: { cpu: '1' } }] } },
    ["spec.limits[0].default: Forbidden: may not be specified when `type` is 'Pod'"],
  ],
  [
    'limitranges',
    { spec: { limits: [{ type: 'Node' }] } },
    ['spec.limits[0].type: Invalid value: "Node": must be a standard limit type or fully qualified'],
  ],
  [
    'limitranges',
    { spec: { limits: [{ type: 'PersistentVolumeClaim' }] } },
    [
      'spec.limits[0].limits: Required value: either minimum or maximum storage value is required, but neither was provided',
    ],
  ],
  [
    'resourcequotas',
    hard({ things: '1' }),
    [
      'spec.hard[things]: Invalid value: "things": must be a standard resource type or fully qualified',
      'spec.hard[things]: Invalid value: "things": must be a standard resource for quota',
    ],
  ],
  ['resourcequotas', hard({ pods: '500m' }), ['spec.hard[pods]: Invalid value: "500m": must be an integer']],
  [
    'resourcequotas',
    hard({ 'count/deployments.apps': '5', 'requests.nvidia.com/gpu': '1', 'limits.cpu': '1' }),
    [],
  ],
  [
    'resourcequotas',
    hard({ cpu: '1' }, { scopes: ['BestEffort'] }),
    ['spec.scopes: Invalid value: ["BestEffort"]: unsupported scope applied to resource'],
  ],
  [
    'resourcequotas',
    hard({ pods: '1' }, { scopes: ['BestEffort', 'NotBestEffort'] }),
    ['spec.scopes: Invalid value: ["BestEffort","NotBestEffort"]: conflicting scopes'],
  ],
  [
    'resourcequotas',
    hard(
      { pods: '1' },
      { scopeSelector: { matchExpressions: [{ scopeName: 'PriorityClass', operator: 'In' }] } },
    ),
    [
      "spec.scopeSelector.matchExpressions.values: Required value: must be at least one value when `operator` is 'In' or 'NotIn' for scope selector",
    ],
  ],
];

t.test('what is refused, and in which words', async (t) => {
  for (const [kind, body, expected] of cases) {
    const found = await causesOf(create(kind, body));
    t.same(kind === 'limitranges' ? found.sort() : found, expected, `${kind} ${expected[0]?.slice(0, 80)}`);
  }
});

t.test('bindings: defaults, and the role that stays', async (t) => {
  const subjects = [
    { kind: 'User', name: 'joe' },
    { kind: 'ServiceAccount', name: 's', namespace: 'default' },
  ];
  const { object } = await create('rolebindings', { roleRef, subjects }, contextOf());
  t.match(object as RoleBinding, {
    roleRef: { apiGroup: rbac, ...roleRef },
    subjects: [{ ...subjects[0], apiGroup: rbac }, subjects[1]],
  });
  t.same(await causesOf(merge('rolebindings', { roleRef: { name: 'edit' } })), [
    `roleRef: Invalid value: {"APIGroup":"${rbac}","Kind":"ClusterRole","Name":"edit"}: cannot change roleRef`,
  ]);
  const updated = await registry.update(
    rowOf('clusterroles'),
    { name: 'fresh' },
    { metadata: { name: 'fresh' }, rules: [] },
    contextOf(),
  );
  t.equal(updated.created, true, 'a PUT makes a role');
});

t.test('priorities, limits and quotas: defaults, and what stays', async (t) => {
  const { object } = await create('priorityclasses', { value: 5 }, contextOf());
  t.match(object, { preemptionPolicy: 'PreemptLowerPriority', metadata: { generation: 1 } });
  t.same(await causesOf(merge('priorityclasses', { value: 6, preemptionPolicy: 'Never' })), [
    'value: Forbidden: may not be changed in an update.',
    'preemptionPolicy: Invalid value: "Never": field is immutable',
  ]);
  const metadata = { name: 'system-node-critical' };
  await create('priorityclasses', { metadata, value: 2_000_001_000 }, contextOf());
  t.match(
    await codeOf(registry.delete(rowOf('priorityclasses'), { name: metadata.name }, {}, contextOf())),
    /this is a system priority class and cannot be deleted/,
  );
  const given = { max: { cpu: '2' }, min: { memory: '1Mi' }, default: { memory: '1Gi' } };
  const { object: range } = await create('limitranges', limits(given));
  t.match((range as LimitRange).spec?.limits[0], {
    default: { cpu: '2', memory: '1Gi' },
    defaultRequest: { cpu: '2', memory: '1Gi' },
  });
  await create('resourcequotas', hard({ pods: '1' }), contextOf());
  t.same(await causesOf(merge('resourcequotas', { spec: { scopes: ['BestEffort'] } })), [
    'spec.scopes: Invalid value: ["BestEffort"]: field is immutable',
  ]);
  t.same(await causesOf(merge('resourcequotas', { status: { used: { pods: '-1' } } }, 'status')), [
    'status.used[pods]: Invalid value: "-1": must be greater than or equal to 0',
  ]);
});

const event = {
  metadata: { name: 'e' },
  regarding: { kind: 'Pod', namespace: 'default', name: 'p' },
  eventTime: '2026-01-01T00:00:00.000000Z',
  reportingController: 'example.com/c',
  reportingInstance: 'c-0',
  action: 'Binding',
  reason: 'Bound',
  type: 'Normal',
  note: 'hello',
};

t.test('events of events.k8s.io are those of core', async (t) => {
  const [v1, beta] = [rowAt('events.k8s.io', 'v1', 'events'), rowAt('events.k8s.io', 'v1beta1', 'events')];
  const ref = { namespace: 'default', name: 'e' };
  const { object } = await registry.create(v1, 'default', event, contextOf());
  t.match(object, { apiVersion: 'events.k8s.io/v1', kind: 'Event', ...event });
  const core = (await registry.get(rowOf('events'), ref, contextOf())).object as Event;
  t.match(core, {
    apiVersion: 'v1',
    involvedObject: event.regarding,
    message: 'hello',
    reportingComponent: 'example.com/c',
  });
  t.notOk('note' in core || 'regarding' in core);
  for (const fieldSelector of ['regarding.name=p', 'reportingController=example.com/c', 'reason=Bound'])
    t.equal((await registry.list(beta, { fieldSelector }, contextOf())).items.length, 1, fieldSelector);

  const wrong = (body: object, row = v1) =>
    causesOf(
      registry.create(row, 'default', { ...body, metadata: { name: 'w' } }, contextOf({ dryRun: true })),
    );
  const { eventTime: _time, ...timeless } = event;
  t.same(await wrong(timeless), ['eventTime: Required value']);
  t.same(await wrong(timeless, beta), [], 'the old version takes what core takes');
  t.same(await wrong({ ...event, type: 'Bad', deprecatedCount: 2 }), [
    'type: Invalid value: "": has invalid value: Bad',
    'count: Invalid value: "": needs to be unset',
  ]);
  t.same(
    await wrong(
      { metadata: event.metadata, regarding: event.regarding, eventTime: event.eventTime, type: 'Normal' },
      beta,
    ),
    [
      'reportingController: Required value',
      'reportingController: Invalid value: "": name part must be non-empty',
      "reportingController: Invalid value: \"\": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')",
      'reportingInstance: Required value',
      'action: Required value',
      'reason: Required value',
    ],
  );
  const change = (body: object) => registry.patch(v1, ref, { type: 'merge', body }, contextOf());
  t.same(await causesOf(change({ note: 'other' })), ['message: Invalid value: "other": field is immutable']);
  t.same(await causesOf(change({ series: { count: 1 } })), [
    'series.count: Invalid value: "": should be at least 2',
    'series.lastObservedTime: Required value',
  ]);
  const series = { count: 2, lastObservedTime: '2026-01-01T00:00:01.000000Z' };
  t.match((await change({ series })).object as KubeObject, { series });
});

t.test('component statuses are asked for', async (t) => {
  const context = contextOf();
  const { items } = await registry.list(rowOf('componentstatuses'), {}, context);
  t.same(
    items.map(({ object }) => rowOf('componentstatuses').printer.cells(object, new Date())),
    [
      ['scheduler', 'Healthy', 'ok', ''],
      ['etcd-0', 'Unhealthy', '', 'disk full'],
    ],
  );
  t.same(context.warnings, ['v1 ComponentStatus is deprecated in v1.19+']);
  t.match(
    await codeOf(registry.get(rowOf('componentstatuses'), { name: 'x' }, contextOf())),
    /"x" not found/,
  );
});
