import t from 'tap';
import type { KubeObject } from '../../src/api/types.js';
import { createResources } from './table.js';

const created = '2026-01-01T00:00:00Z';
const now = new Date('2026-01-01T00:05:00Z');
const rows = createResources();

/** The cells of the preferred version of a kind, joined like a line of kubectl. */
function line(resource: string, given: object, version?: string): string {
  const row = rows.find(({ type }) => type.resource === resource && (!version || type.version === version));
  if (!row) throw new Error(`no kind ${resource}`);
  const { metadata = {}, ...rest } = given as { metadata?: object };
  const object = { metadata: { name: 'a', creationTimestamp: created, ...metadata }, ...rest } as KubeObject;
  const cells = row.printer.cells(object, now);
  t.equal(cells.length, row.printer.columns.length, `${resource}: a cell per column`);
  return cells.join(' | ');
}
const head = (resource: string): string =>
  rows
    .find(({ type }) => type.resource === resource)
    ?.printer.columns.map(({ name, priority }) => (priority ? `(${name})` : name))
    .join(' | ') ?? '';

const selector = { matchLabels: { app: 'a' } };
const containers = ['x', 'y'].map((name) => ({ name, image: `${name}:1` }));
const template = { metadata: { labels: { b: '2', a: '1' } }, spec: { containers, nodeSelector: { z: '1' } } };
const wide = '(Containers) | (Images) | (Selector)';

t.test('apps', async (t) => {
  t.equal(
    head('daemonsets'),
    `Name | Desired | Current | Ready | Up-to-date | Available | Node Selector | Age | ${wide}`,
  );
  const counts = { desiredNumberScheduled: 3, currentNumberScheduled: 2, numberReady: 1, numberAvailable: 1 };
  t.equal(
    line('daemonsets', { spec: { selector, template }, status: counts }),
    'a | 3 | 2 | 1 | 0 | 1 | z=1 | 5m | x,y | x:1,y:1 | app=a',
  );
  t.equal(head('statefulsets'), 'Name | Ready | Age | (Containers) | (Images)');
  t.equal(
    line('statefulsets', { spec: { replicas: 3, selector, template }, status: { readyReplicas: 2 } }),
    'a | 2/3 | 5m | x,y | x:1,y:1',
  );
  const owner = { apiVersion: 'apps/v1', kind: 'StatefulSet', name: 'web', uid: 'u', controller: true };
  t.equal(
    line('controllerrevisions', { metadata: { ownerReferences: [owner] }, revision: 4 }),
    'a | statefulset.apps/web | 4 | 5m',
  );
  t.equal(
    line('replicationcontrollers', { spec: { replicas: 2, selector: { b: '2', a: '1' }, template } }),
    'a | 2 | 0 | 0 | 5m | x,y | x:1,y:1 | a=1,b=2',
  );
  t.equal(line('podtemplates', { template }), 'a | x,y | x:1,y:1 | a=1,b=2');
});

t.test('batch', async (t) => {
  t.equal(head('jobs'), `Name | Status | Completions | Duration | Age | ${wide}`);
  const spec = { selector, template, completions: 3, parallelism: 2 };
  const times = { startTime: created, completionTime: '2026-01-01T00:01:30Z' };
  const done = { ...times, succeeded: 3, conditions: [{ type: 'Complete', status: 'True' }] };
  t.equal(line('jobs', { spec, status: done }), 'a | Complete | 3/3 | 90s | 5m | x,y | x:1,y:1 | app=a');
  t.match(
    line('jobs', { spec: { ...spec, completions: undefined }, status: times }),
    /^a \| Running \| 0\/1 of 2 \|/,
  );
  t.match(
    line('jobs', { spec, status: { conditions: [{ type: 'Suspended', status: 'True' }] } }),
    /^a \| Suspended \| 0\/3 \| {2}\| 5m/,
  );
  t.equal(head('cronjobs'), `Name | Schedule | Timezone | Suspend | Active | Last Schedule | Age | ${wide}`);
  const cron = { schedule: '@daily', suspend: false, jobTemplate: { spec: { template } } };
  t.equal(
    line('cronjobs', { spec: cron, status: { active: [{}], lastScheduleTime: created } }),
    'a | @daily | <none> | False | 1 | 5m | 5m | x,y | x:1,y:1 | <none>',
  );
});

t.test('autoscaling and policy', async (t) => {
  t.equal(
    head('horizontalpodautoscalers'),
    'Name | Reference | Targets | MinPods | MaxPods | Replicas | Age',
  );
  const metric = { name: 'hits' };
  const metrics = [
    { type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 80 } } },
    { type: 'External', external: { metric, target: { type: 'AverageValue', averageValue: '5' } } },
    { type: 'Pods', pods: { metric, target: { type: 'AverageValue', averageValue: '7' } } },
  ];
  const currentMetrics = [
    { type: 'Resource', resource: { name: 'cpu', current: { averageUtilization: 10 } } },
  ];
  const spec = {
    scaleTargetRef: { kind: 'Deployment', name: 'web' },
    minReplicas: 1,
    maxReplicas: 3,
    metrics,
  };
  t.equal(
    line('horizontalpodautoscalers', { spec, status: { currentReplicas: 2, currentMetrics } }),
    'a | Deployment/web | cpu: 10%/80%, <unknown>/5 (avg) + 1 more... | 1 | 3 | 2 | 5m',
  );
  const old = { scaleTargetRef: spec.scaleTargetRef, maxReplicas: 3, targetCPUUtilizationPercentage: 50 };
  t.equal(
    line('horizontalpodautoscalers', { spec: old }, 'v1'),
    'a | Deployment/web | cpu: <unknown>/50% | <unset> | 3 | 0 | 5m',
  );
  t.equal(head('poddisruptionbudgets'), 'Name | Min Available | Max Unavailable | Allowed Disruptions | Age');
  t.equal(
    line('poddisruptionbudgets', { spec: { minAvailable: '50%' }, status: { disruptionsAllowed: 2 } }),
    'a | 50% | N/A | 2 | 5m',
  );
});
