import t from 'tap';
import type {
  AutoscalingV1HorizontalPodAutoscaler,
  HorizontalPodAutoscaler,
  KubeObject,
} from '../../../src/api/types.js';
import { createFakeClock } from '../../../src/testing/clock.js';
import {
  autoscalerV1FromStored,
  autoscalerV1ToStored,
  autoscalerV2beta2FromStored,
} from '../../resources/versions/autoscaler.js';
import { causesOf, contextOf, createTestRegistry } from '../testing.js';

const context = contextOf();
const dry = contextOf({ dryRun: true });
const { registry } = await createTestRegistry({ clock: createFakeClock() });
const rowOf = (version: string) => {
  const row = registry.resources.at('autoscaling', version, 'horizontalpodautoscalers');
  if (!row) throw new Error(`no autoscaling/${version}`);
  return row;
};
const scaleTargetRef = { kind: 'Deployment', name: 'web', apiVersion: 'apps/v1' };
const create = (version: string, spec: object, how = dry, name = 'a') =>
  registry.create(
    rowOf(version),
    'default',
    { metadata: { name }, spec: { scaleTargetRef, maxReplicas: 3, ...spec } },
    how,
  );
const target = { type: 'Utilization', averageUtilization: 50 };
const cpu = { type: 'Resource', resource: { name: 'cpu', target } };

t.test('defaults', async (t) => {
  const { object } = await create('v2', { behavior: { scaleDown: { stabilizationWindowSeconds: 60 } } });
  const { metadata, spec } = object as HorizontalPodAutoscaler;
  t.equal(metadata.generation, undefined);
  t.same(spec, {
    scaleTargetRef,
    minReplicas: 1,
    maxReplicas: 3,
    metrics: [{ type: 'Resource', resource: { name: 'cpu', target: { ...target, averageUtilization: 80 } } }],
    behavior: {
      scaleUp: {
        stabilizationWindowSeconds: 0,
        selectPolicy: 'Max',
        policies: [
          { type: 'Pods', value: 4, periodSeconds: 15 },
          { type: 'Percent', value: 100, periodSeconds: 15 },
        ],
      },
      scaleDown: {
        stabilizationWindowSeconds: 60,
        selectPolicy: 'Max',
        policies: [{ type: 'Percent', value: 100, periodSeconds: 15 }],
      },
    },
  });
});

t.test('validation', async (t) => {
  const at = 'spec.metrics[0]';
  const up = (scaleUp: object): object => ({ behavior: { scaleUp } });
  const cases: [object, string[]][] = [
    [{ minReplicas: 0 }, ['spec.minReplicas: Invalid value: 0: must be greater than or equal to 1']],
    [
      { minReplicas: 5 },
      ['spec.maxReplicas: Invalid value: 3: must be greater than or equal to `minReplicas`'],
    ],
    [
      { scaleTargetRef: { kind: 'A/B' } },
      [
        'spec.scaleTargetRef.kind: Invalid value: "A/B": may not contain \'/\'',
        'spec.scaleTargetRef.name: Required value',
      ],
    ],
    [
      { metrics: [{ type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization' } } }] },
      [
        `${at}.resource.target.averageUtilization: Required value: must set either a target raw value or a target utilization`,
      ],
    ],
    [
      { metrics: [{ ...cpu, type: 'Pods' }] },
      [`${at}.pods: Required value: must populate information for the given metric source`],
    ],
    [
      { metrics: [{ ...cpu, type: 'Guess' }] },
      [
        `${at}.type: Unsupported value: "Guess": supported values: "ContainerResource", "External", "Object", "Pods", "Resource"`,
      ],
    ],
    [
      {
        metrics: [
          { type: 'External', external: { metric: { name: 'q' }, target: { type: 'Value', value: '-1' } } },
        ],
      },
      [`${at}.external.target.value: Invalid value: "-1": must be positive`],
    ],
    [
      up({ selectPolicy: 'Most', stabilizationWindowSeconds: 4000, policies: [] }),
      [
        'spec.behavior.scaleUp.stabilizationWindowSeconds: Invalid value: 4000: must be less than or equal to 3600',
        'spec.behavior.scaleUp.selectPolicy: Unsupported value: "Most": supported values: "Disabled", "Max", "Min"',
        'spec.behavior.scaleUp.policies: Required value: must specify at least one Policy',
      ],
    ],
    [
      up({ policies: [{ type: 'Pods', value: 0, periodSeconds: 1801 }] }),
      [
        'spec.behavior.scaleUp.policies[0].value: Invalid value: 0: must be greater than zero',
        'spec.behavior.scaleUp.policies[0].periodSeconds: Invalid value: 1801: must be less than or equal to 1800',
      ],
    ],
  ];
  for (const [spec, expected] of cases)
    t.same(await causesOf(create('v2', spec)), expected, JSON.stringify(spec));
});

t.test('v1 shows the use of CPU, and the rest in annotations', async (t) => {
  const old = (await create('v1', { targetCPUUtilizationPercentage: 70 }, context)).object;
  t.match(old, {
    apiVersion: 'autoscaling/v1',
    spec: { minReplicas: 1, targetCPUUtilizationPercentage: 70 },
  });
  const ref = { namespace: 'default', name: 'a' };
  t.match((await registry.get(rowOf('v2'), ref, context)).object, {
    apiVersion: 'autoscaling/v2',
    spec: { metrics: [{ type: 'Resource', resource: { target: { averageUtilization: 70 } } }] },
  });
  t.match((await registry.get(rowOf('v2beta2'), ref, context)).object, { apiVersion: 'autoscaling/v2beta2' });
  t.match((await create('v1', {}, dry, 'b')).object, { spec: { targetCPUUtilizationPercentage: 80 } });
});

t.test('nothing is lost on the way through v1', async (t) => {
  const metric = { name: 'hits', selector: { matchLabels: { a: 'b' } } };
  const metrics = [
    { type: 'Pods', pods: { metric, target: { type: 'AverageValue', averageValue: '5' } } },
    {
      type: 'Object',
      object: { describedObject: scaleTargetRef, metric, target: { type: 'Value', value: '7' } },
    },
    {
      type: 'ContainerResource',
      containerResource: {
        name: 'memory',
        container: 'main',
        target: { type: 'AverageValue', averageValue: '1Gi' },
      },
    },
    { type: 'External', external: { metric, target: { type: 'AverageValue', averageValue: '3' } } },
    cpu,
  ];
  const policies = [{ type: 'Pods', value: 4, periodSeconds: 15 }];
  const object = {
    apiVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    metadata: { name: 'a', annotations: { own: 'x' } },
    spec: {
      scaleTargetRef,
      minReplicas: 1,
      maxReplicas: 3,
      metrics,
      behavior: { scaleUp: { selectPolicy: 'Max', policies, tolerance: '100m' } },
    },
    status: {
      currentReplicas: 2,
      desiredReplicas: 3,
      currentMetrics: [
        {
          type: 'Resource',
          resource: { name: 'cpu', current: { averageValue: '20m', averageUtilization: 9 } },
        },
      ],
      conditions: [{ type: 'AbleToScale', status: 'True' }],
    },
  } as KubeObject;
  const old = autoscalerV1FromStored(object) as AutoscalingV1HorizontalPodAutoscaler;
  t.equal(old.spec?.targetCPUUtilizationPercentage, 50);
  t.equal(old.status?.currentCPUUtilizationPercentage, 9);
  t.match(JSON.parse(old.metadata.annotations?.['autoscaling.alpha.kubernetes.io/behavior'] ?? ''), {
    ScaleUp: { SelectPolicy: 'Max', StabilizationWindowSeconds: null },
    ScaleDown: null,
  });
  t.same(autoscalerV1ToStored(old), object);
  t.match(
    autoscalerV1ToStored({
      ...old,
      metadata: { annotations: { 'autoscaling.alpha.kubernetes.io/metrics': '{' } },
    }),
    {
      spec: { metrics: [cpu] },
    },
  );
  const beta = autoscalerV2beta2FromStored(object) as HorizontalPodAutoscaler;
  t.equal(beta.spec?.behavior?.scaleUp?.tolerance, undefined);
});
