import t from 'tap';
import type { Deployment } from '../../../src/api/types.js';
import { createFakeClock } from '../../../src/testing/clock.js';
import { causesOf, contextOf, createTestRegistry } from '../testing.js';

const context = contextOf();
const dry = contextOf({ dryRun: true });
const ref = { namespace: 'default', name: 'a' };
const { registry, rowOf } = await createTestRegistry({ clock: createFakeClock() });
const containers = [{ name: 'main', image: 'nginx' }];
const labels = { app: 'a' };

const spec = (more: object = {}): object => ({
  selector: { matchLabels: labels },
  template: { metadata: { labels }, spec: { containers } },
  ...more,
});
const withPods = (more: object): object => ({
  template: { metadata: { labels }, spec: { containers, ...more } },
});
const refusal = (kind: string, given: unknown) =>
  causesOf(registry.create(rowOf(kind), 'default', { metadata: { name: 'a' }, spec: given }, dry));

const percent =
  "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')";

const unmatched =
  'spec.template.metadata.labels: Invalid value: {"app":"a"}: `selector` does not match template `labels`';
const noSelector = (expression: string): string =>
  `spec.selector: Invalid value: {"matchExpressions":[${expression}]}: invalid label selector`;

t.test('deployments and replica sets share selector, template and replicas', async (t) => {
  const cases: [object, string[]][] = [
    [{ replicas: -1 }, ['spec.replicas: Invalid value: -1: must be greater than or equal to 0']],
    [
      { minReadySeconds: -1 },
      ['spec.minReadySeconds: Invalid value: -1: must be greater than or equal to 0'],
    ],
    [{ selector: undefined }, ['spec.selector: Required value', unmatched]],
    [{ selector: {} }, ['spec.selector: Invalid value: {}: empty selector is invalid for deployment']],
    [
      { selector: { matchLabels: { app: 'b' } } },
      [
        'spec.template.metadata.labels: Invalid value: {"app":"a"}: `selector` does not match template `labels`',
      ],
    ],
    [
      { selector: { matchExpressions: [{ key: 'app', operator: 'Near', values: ['a'] }] } },
      [
        'spec.selector.matchExpressions[0].operator: Invalid value: "Near": not a valid selector operator',
        noSelector('{"key":"app","operator":"Near","values":["a"]}'),
      ],
    ],
    [
      { selector: { matchExpressions: [{ key: 'app', operator: 'In' }] } },
      [
        "spec.selector.matchExpressions[0].values: Required value: must be specified when `operator` is 'In' or 'NotIn'",
        noSelector('{"key":"app","operator":"In"}'),
      ],
    ],
    [
      { selector: { matchExpressions: [{ key: 'app', operator: 'Exists', values: ['a'] }] } },
      [
        "spec.selector.matchExpressions[0].values: Forbidden: may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
        noSelector('{"key":"app","operator":"Exists","values":["a"]}'),
      ],
    ],
    [withPods({ containers: [] }), ['spec.template.spec.containers: Required value']],
    [
      withPods({ containers: [{ name: 'main' }] }),
      ['spec.template.spec.containers[0].image: Required value'],
    ],
    [
      withPods({ restartPolicy: 'Never' }),
      ['spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"'],
    ],
    [
      withPods({ activeDeadlineSeconds: 5 }),
      [
        'spec.template.spec.activeDeadlineSeconds: Forbidden: activeDeadlineSeconds in ReplicaSet is not Supported',
      ],
    ],
    [
      withPods({ containers: [{ ...containers[0], ports: [{ containerPort: 70000 }] }] }),
      [
        'spec.template.spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive',
      ],
    ],
  ];
  for (const kind of ['deployments', 'replicasets']) {
    for (const [more, expected] of cases) {
      const found = await refusal(kind, spec(more));
      t.same(found, expected, `${kind}: ${JSON.stringify(more)}`);
    }
  }
  t.same(await refusal('deployments', undefined), [
    'spec.selector: Required value',
    'spec.template.metadata.labels: Invalid value: {}: `selector` does not match template `labels`',
    'spec.template.spec.containers: Required value',
  ]);
});

t.test('deployments: strategy', async (t) => {
  const rolling = (rollingUpdate: object): object => ({ strategy: { type: 'RollingUpdate', rollingUpdate } });
  const at = 'spec.strategy.rollingUpdate';
  const cases: [object, string[]][] = [
    [
      { strategy: { type: 'Sudden' } },
      ['spec.strategy: Unsupported value: {"type":"Sudden"}: supported values: "Recreate", "RollingUpdate"'],
    ],
    [
      { strategy: { type: 'Recreate', rollingUpdate: {} } },
      [`${at}: Forbidden: may not be specified when strategy \`type\` is 'Recreate'`],
    ],
    [
      rolling({ maxSurge: 0, maxUnavailable: 0 }),
      [`${at}.maxUnavailable: Invalid value: 0: may not be 0 when \`maxSurge\` is 0`],
    ],
    [
      rolling({ maxUnavailable: '120%' }),
      [`${at}.maxUnavailable: Invalid value: "120%": must not be greater than 100%`],
    ],
    [rolling({ maxSurge: 'some' }), [`${at}.maxSurge: Invalid value: "some": ${percent}`]],
    [rolling({ maxSurge: -1 }), [`${at}.maxSurge: Invalid value: -1: must be greater than or equal to 0`]],
    [
      { progressDeadlineSeconds: 5, minReadySeconds: 5 },
      ['spec.progressDeadlineSeconds: Invalid value: 5: must be greater than minReadySeconds'],
    ],
    [
      { revisionHistoryLimit: -1 },
      ['spec.revisionHistoryLimit: Invalid value: -1: must be greater than or equal to 0'],
    ],
  ];
  for (const [more, expected] of cases)
    t.same(await refusal('deployments', spec(more)), expected, JSON.stringify(more));
});

t.test('the selector never changes', async (t) => {
  for (const kind of ['deployments', 'replicasets']) {
    const row = rowOf(kind);
    await registry.create(row, 'default', { metadata: { name: 'a' }, spec: spec() }, context);
    const other = {
      selector: { matchLabels: { app: 'b' } },
      template: { metadata: { labels: { app: 'b' } } },
    };
    const patch = registry.patch(row, ref, { type: 'merge', body: { spec: other } }, context);
    await t.rejects(patch, {
      code: 422,
      message: `${row.type.kind}.apps "a" is invalid: spec.selector: Invalid value: {"matchLabels":{"app":"b"}}: field is immutable`,
      details: {
        name: 'a',
        group: 'apps',
        kind: row.type.kind,
        causes: [{ reason: 'FieldValueInvalid', field: 'spec.selector' }],
      },
    });
    t.same(await causesOf(patch), [
      'spec.selector: Invalid value: {"matchLabels":{"app":"b"}}: field is immutable',
    ]);
  }
});

t.test('defaults of a deployment', async (t) => {
  const { object } = await registry.create(
    rowOf('deployments'),
    'default',
    { metadata: { name: 'b' }, spec: spec() },
    dry,
  );
  t.match(object as Deployment, {
    spec: {
      replicas: 1,
      revisionHistoryLimit: 10,
      progressDeadlineSeconds: 600,
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: '25%', maxUnavailable: '25%' } },
      template: {
        spec: { restartPolicy: 'Always', dnsPolicy: 'ClusterFirst', terminationGracePeriodSeconds: 30 },
      },
    },
  });
});

t.test('replica sets: status has to add up', async (t) => {
  const status = (given: object) =>
    causesOf(
      registry.patch(rowOf('replicasets'), ref, { type: 'merge', body: { status: given } }, dry, 'status'),
    );
  t.same(await status({ replicas: 1, readyReplicas: 2 }), [
    'status.readyReplicas: Invalid value: 2: cannot be greater than status.replicas',
  ]);
  t.same(await status({ replicas: 2, readyReplicas: 1, availableReplicas: 2 }), [
    'status.availableReplicas: Invalid value: 2: cannot be greater than readyReplicas',
  ]);
  t.same(await status({ replicas: 2, readyReplicas: 2, availableReplicas: 1 }), []);
});
