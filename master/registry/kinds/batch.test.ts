import t from 'tap';
import type { CronJob, Job } from '../../../src/api/types.js';
import { createFakeClock } from '../../../src/testing/clock.js';
import { causesOf, contextOf, createTestRegistry } from '../testing.js';

const context = contextOf();
const dry = contextOf({ dryRun: true });
const ref = { namespace: 'default', name: 'a' };
const { registry, rowOf } = await createTestRegistry({ clock: createFakeClock() });
const jobs = rowOf('jobs');
const cronJobs = rowOf('cronjobs');
const containers = [{ name: 'main', image: 'nginx' }];
const template = { spec: { containers, restartPolicy: 'Never' } };
const job = (more: object = {}): object => ({ template, ...more });
const refusal = (given: object, name = 'a') =>
  causesOf(registry.create(jobs, 'default', { metadata: { name }, spec: given }, dry));
const cronRefusal = (given: object, name = 'r') =>
  causesOf(
    registry.create(
      cronJobs,
      'default',
      { metadata: { name }, spec: { schedule: '* * * * *', jobTemplate: { spec: job() }, ...given } },
      dry,
    ),
  );
const negative = 'must be greater than or equal to 0';
const indexed = (more: object = {}): object => job({ completionMode: 'Indexed', completions: 5, ...more });

t.test('a job gets its selector, its labels and its defaults', async (t) => {
  const { object } = await registry.create(jobs, 'default', { metadata: { name: 'd' }, spec: job() }, dry);
  const { metadata, spec, status } = object as Job;
  const labels = {
    'batch.kubernetes.io/controller-uid': metadata.uid,
    'batch.kubernetes.io/job-name': 'd',
    'controller-uid': metadata.uid,
    'job-name': 'd',
  };
  t.same(metadata.labels, labels, 'a Job without labels of its own has those of its pods');
  const { template: made, ...rest } = spec as NonNullable<Job['spec']>;
  t.same(rest, {
    parallelism: 1,
    completions: 1,
    backoffLimit: 6,
    completionMode: 'NonIndexed',
    suspend: false,
    manualSelector: false,
    podReplacementPolicy: 'TerminatingOrFailed',
    selector: { matchLabels: { 'batch.kubernetes.io/controller-uid': metadata.uid } },
  });
  t.same(made.metadata?.labels, labels);
  t.same(status, {});
  t.equal(metadata.generation, 1);
  const perIndex = await registry.create(
    jobs,
    'default',
    { metadata: { name: 'd' }, spec: indexed({ backoffLimitPerIndex: 1 }) },
    dry,
  );
  t.match(perIndex.object, { spec: { backoffLimit: 2147483647, parallelism: 1, completions: 5 } });
  const own = { metadata: { labels: { a: 'b' } }, ...template };
  const manual = job({ manualSelector: true, selector: { matchLabels: { a: 'b' } }, template: own });
  const { object: kept } = await registry.create(
    jobs,
    'default',
    { metadata: { name: 'd' }, spec: manual },
    dry,
  );
  t.match(kept, { metadata: { labels: { a: 'b' } }, spec: { selector: { matchLabels: { a: 'b' } } } });
});

t.test('jobs', async (t) => {
  const cases: [object, string[]][] = [
    [
      { template: { spec: { containers } } },
      ['spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"'],
    ],
    [
      { template: { spec: { containers, restartPolicy: 'Sometimes' } } },
      [
        'spec.template.spec.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "OnFailure", "Never"',
        'spec.template.spec.restartPolicy: Unsupported value: "Sometimes": supported values: "OnFailure", "Never"',
      ],
    ],
    [{ parallelism: -1 }, [`spec.parallelism: Invalid value: -1: ${negative}`]],
    [{ completions: -1 }, [`spec.completions: Invalid value: -1: ${negative}`]],
    [{ ttlSecondsAfterFinished: -1 }, [`spec.ttlSecondsAfterFinished: Invalid value: -1: ${negative}`]],
    [
      { completionMode: 'Sorted' },
      ['spec.completionMode: Unsupported value: "Sorted": supported values: "NonIndexed", "Indexed"'],
    ],
    [
      { completionMode: 'Indexed', parallelism: 1 },
      ['spec.completions: Required value: when completion mode is Indexed'],
    ],
    [
      { backoffLimitPerIndex: 1 },
      ['spec.backoffLimitPerIndex: Invalid value: 1: requires indexed completion mode'],
    ],
    [
      { completionMode: 'Indexed', completions: 3, maxFailedIndexes: 4, backoffLimitPerIndex: 1 },
      ['spec.maxFailedIndexes: Invalid value: 4: must be less than or equal to completions'],
    ],
    [
      { selector: { matchLabels: { a: 'b' } } },
      [
        /^spec\.selector: Invalid value: .*: `selector` not auto-generated$/ as never,
        /^spec\.template\.metadata\.labels: Invalid value: .*: `selector` does not match template `labels`$/ as never,
      ],
    ],
    [
      { template: { ...template, metadata: { labels: { 'job-name': 'b' } } } },
      [/^spec\.template\.metadata\.labels\[job-name\]: Invalid value: .*: must be 'a'$/ as never],
    ],
    [
      { managedBy: 'me' },
      ['spec.managedBy: Invalid value: "me": must be a domain-prefixed path (such as "acme.io/foo")'],
    ],
    [
      { podReplacementPolicy: 'Later' },
      [
        'spec.podReplacementPolicy: Unsupported value: "Later": supported values: "Failed", "TerminatingOrFailed"',
      ],
    ],
  ];
  for (const [more, expected] of cases) t.match(await refusal(job(more)), expected, JSON.stringify(more));
  const long = 'x'.repeat(62);
  t.same(await refusal(indexed(), long), [
    `metadata.name: Invalid value: "${long}": will not able to create pod with invalid DNS label: ${long}-4`,
  ]);
});

t.test('failure and success policies', async (t) => {
  const rule = (...rules: object[]): object => job({ podFailurePolicy: { rules } });
  const at = 'spec.podFailurePolicy.rules[0]';
  const onExitCodes = { operator: 'In', values: [1] };
  const success = (...rules: object[]): object => indexed({ successPolicy: { rules } });
  const won = 'spec.successPolicy.rules[0]';
  const cases: [object, string[]][] = [
    [rule({ action: 'Ignore', onExitCodes }), []],
    [
      rule({ action: 'Ignore' }),
      [`${at}: Invalid value: specifying one of OnExitCodes and OnPodConditions is required`],
    ],
    [
      rule({ action: 'Ignore', onExitCodes, onPodConditions: [{ type: 'DisruptionTarget' }] }),
      [`${at}: Invalid value: specifying both OnExitCodes and OnPodConditions is not supported`],
    ],
    [
      rule({ onExitCodes }),
      [`${at}.action: Required value: valid values: ["Count" "FailIndex" "FailJob" "Ignore"]`],
    ],
    [
      rule({ action: 'Explode', onExitCodes }),
      [
        `${at}.action: Unsupported value: "Explode": supported values: "Count", "FailIndex", "FailJob", "Ignore"`,
      ],
    ],
    [
      rule({ action: 'FailIndex', onExitCodes }),
      [`${at}.action: Invalid value: "FailIndex": requires the backoffLimitPerIndex to be set`],
    ],
    [
      rule({ action: 'Count', onExitCodes: { operator: 'In', values: [3, 0, 3], containerName: 'x' } }),
      [
        `${at}.onExitCodes.containerName: Invalid value: "x": must be one of the container or initContainer names in the pod template`,
        `${at}.onExitCodes.values[1]: Invalid value: 0: must not be 0 for the In operator`,
        `${at}.onExitCodes.values[2]: Duplicate value: 3`,
        `${at}.onExitCodes.values: Invalid value: [3,0,3]: must be ordered`,
      ],
    ],
    [
      rule({ action: 'Count', onPodConditions: [{ type: 'X', status: 'Maybe' }] }),
      [
        `${at}.onPodConditions[0].status: Unsupported value: "Maybe": supported values: "False", "True", "Unknown"`,
      ],
    ],
    [
      job({
        podFailurePolicy: { rules: [{ action: 'Ignore', onExitCodes }] },
        template: { spec: { containers, restartPolicy: 'OnFailure' } },
      }),
      [
        'spec.template.spec.restartPolicy: Invalid value: "OnFailure": only "Never" is supported when podFailurePolicy is specified',
      ],
    ],
    [success({ succeededIndexes: '0-2,4', succeededCount: 3 }), []],
    [
      success({}),
      [`${won}: Required value: at least one of succeededCount or succeededIndexes must be specified`],
    ],
    [
      success({ succeededIndexes: '2,1' }),
      [
        `${won}.succeededIndexes: Invalid value: "2,1": error parsing succeededIndexes: non-increasing order, previous: 2, current: 1`,
      ],
    ],
    [
      success({ succeededIndexes: '7' }),
      [`${won}.succeededIndexes: Invalid value: "7": error parsing succeededIndexes: too large index: "7"`],
    ],
    [
      success({ succeededIndexes: '1', succeededCount: 2 }),
      [
        `${won}.succeededCount: Invalid value: 2: must be less than or equal to 1 (the number of indexes in the specified succeededIndexes field)`,
      ],
    ],
    [
      job({ successPolicy: { rules: [{ succeededCount: 1 }] } }),
      [
        'spec.successPolicy: Invalid value: {"rules":[{"succeededCount":1}]}: requires indexed completion mode',
      ],
    ],
  ];
  for (const [given, expected] of cases) t.same(await refusal(given), expected, JSON.stringify(given));
});

t.test('what may change of a job', async (t) => {
  await registry.create(jobs, 'default', { metadata: { name: 'a' }, spec: job() }, context);
  const change = (body: object, how = dry) => registry.patch(jobs, ref, { type: 'merge', body }, how);
  const immutable = 'field is immutable';
  t.same(await causesOf(change({ spec: { completions: 2 } })), [
    `spec.completions: Invalid value: 2: ${immutable}`,
  ]);
  t.match(await causesOf(change({ spec: { template: { spec: { nodeSelector: { a: 'b' } } } } })), [
    /^spec\.template: Invalid value: .*: field is immutable$/,
  ]);
  t.same(await causesOf(change({ spec: { completionMode: 'Indexed' } })), [
    `spec.completionMode: Invalid value: "Indexed": ${immutable}`,
  ]);
  t.match((await change({ spec: { parallelism: 3, suspend: true, activeDeadlineSeconds: 9 } })).object, {
    metadata: { generation: 2 },
    spec: { parallelism: 3 },
  });
  await registry.create(
    jobs,
    'default',
    { metadata: { name: 's' }, spec: indexed({ suspend: true }) },
    context,
  );
  const other = { namespace: 'default', name: 's' };
  const suspended = (body: object) => causesOf(registry.patch(jobs, other, { type: 'merge', body }, dry));
  const affinity = { nodeAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [] } };
  t.same(await suspended({ spec: { template: { spec: { nodeSelector: { a: 'b' }, affinity } } } }), []);
  t.match(await suspended({ spec: { template: { spec: { hostNetwork: true } } } }), [/^spec\.template: /]);
  t.same(await suspended({ spec: { completions: 7 } }), [
    'spec.completions: Invalid value: 7: can only be modified in tandem with spec.parallelism',
  ]);
  t.same(await suspended({ spec: { completions: 7, parallelism: 7 } }), []);
});

t.test('the status of a job', async (t) => {
  const change = (status: object, how = dry) =>
    registry.patch(jobs, ref, { type: 'merge', body: { status } }, how, 'status');
  const condition = (...types: string[]): object => ({
    conditions: types.map((type) => ({ type, status: 'True' })),
  });
  const startTime = '2026-01-01T00:00:00Z';
  const completionTime = '2026-01-01T00:01:00Z';
  const cases: [object, string[]][] = [
    [{ active: -1 }, [`status.active: Invalid value: -1: ${negative}`]],
    [{ ready: 2, active: 1 }, ['status.ready: Invalid value: 2: cannot set more ready pods than active']],
    [
      { startTime, ...condition('Failed') },
      [
        'status.conditions: Invalid value: cannot set Failed=True condition without the FailureTarget=true condition',
      ],
    ],
    [
      { startTime, active: 1, completionTime, ...condition('Complete', 'SuccessCriteriaMet') },
      ['status.active: Invalid value: 1: active>0 is invalid for finished job'],
    ],
    [
      { completionTime, startTime },
      [
        `status.completionTime: Invalid value: "${completionTime}": cannot set completionTime when there is no Complete=True condition`,
      ],
    ],
    [
      { completedIndexes: '1' },
      [
        'status.completedIndexes: Invalid value: "1": cannot set non-empty completedIndexes when non-indexed completion mode',
        'status.completedIndexes: Invalid value: "1": error parsing completedIndexes: too large index: "1"',
      ],
    ],
    [
      { uncountedTerminatedPods: { succeeded: ['u'], failed: ['u'] } },
      ['status.uncountedTerminatedPods.failed[0]: Duplicate value: "u"'],
    ],
  ];
  for (const [status, expected] of cases)
    t.same(await causesOf(change(status)), expected, JSON.stringify(status));
  await change(
    { startTime, completionTime, succeeded: 1, ...condition('SuccessCriteriaMet', 'Complete') },
    context,
  );
  t.same(await causesOf(change({ succeeded: 0 })), [
    'status.succeeded: Invalid value: 0: cannot decrease the succeeded counter',
  ]);
  t.same(await causesOf(change({ ...condition('SuccessCriteriaMet'), completionTime: null })), [
    'status.conditions: Invalid value: cannot disable the terminal Complete=True condition',
  ]);
});

t.test('cron jobs', async (t) => {
  const { object } = await registry.create(
    cronJobs,
    'default',
    { metadata: { name: 'a' }, spec: { schedule: '@hourly', jobTemplate: { spec: job() } } },
    context,
  );
  const { jobTemplate, ...rest } = (object as CronJob).spec as NonNullable<CronJob['spec']>;
  t.same(rest, {
    schedule: '@hourly',
    concurrencyPolicy: 'Allow',
    suspend: false,
    successfulJobsHistoryLimit: 3,
    failedJobsHistoryLimit: 1,
  });
  t.match(jobTemplate, { metadata: {}, spec: { template: { spec: { dnsPolicy: 'ClusterFirst' } } } });
  t.equal(jobTemplate.spec?.backoffLimit, undefined, 'the template is not defaulted as a job');

  const cases: [object, string[]][] = [
    [{ schedule: '' }, ['spec.schedule: Required value']],
    [
      { schedule: '60 * * * *' },
      ['spec.schedule: Invalid value: "60 * * * *": end of range (60) above maximum (59): 60'],
    ],
    [
      { schedule: 'TZ=UTC 0 * * * *' },
      [
        'spec.schedule: Invalid value: "TZ=UTC 0 * * * *": cannot use TZ or CRON_TZ in schedule, use timeZone field instead',
      ],
    ],
    [{ timeZone: 'Europe/Berlin' }, []],
    [{ timeZone: 'Mars/Base' }, ['spec.timeZone: Invalid value: "Mars/Base": unknown time zone Mars/Base']],
    [{ timeZone: '../etc' }, ['spec.timeZone: Invalid value: "../etc": unknown time zone ../etc']],
    [
      { timeZone: 'local' },
      [
        'spec.timeZone: Invalid value: "local": timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones',
      ],
    ],
    [
      { concurrencyPolicy: 'Maybe' },
      ['spec.concurrencyPolicy: Unsupported value: "Maybe": supported values: "Allow", "Forbid", "Replace"'],
    ],
    [
      { jobTemplate: { spec: job({ selector: { matchLabels: {} }, manualSelector: true }) } },
      [
        'spec.jobTemplate.spec.selector: Invalid value: {"matchLabels":{}}: `selector` will be auto-generated',
        'spec.jobTemplate.spec.manualSelector: Unsupported value: true: supported values: "nil", "false"',
      ],
    ],
    [
      { jobTemplate: { spec: { template: { spec: { containers } } } } },
      [
        'spec.jobTemplate.spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"',
      ],
    ],
    [{ startingDeadlineSeconds: -1 }, [`spec.startingDeadlineSeconds: Invalid value: -1: ${negative}`]],
  ];
  for (const [given, expected] of cases) t.same(await cronRefusal(given), expected, JSON.stringify(given));
  const long = 'x'.repeat(53);
  t.same(await cronRefusal({}, long), [
    `metadata.name: Invalid value: "${long}": must be no more than 52 characters`,
  ]);
  const { object: changed } = await registry.patch(
    cronJobs,
    ref,
    { type: 'merge', body: { spec: { suspend: true }, status: { active: [{ name: 'x' }] } } },
    context,
  );
  t.match(changed, { metadata: { generation: 2 }, spec: { suspend: true }, status: {} });
  t.equal((changed as CronJob).status?.active, undefined);
});

t.test('a job that is deleted leaves its pods unless told otherwise', async (t) => {
  await registry.create(jobs, 'default', { metadata: { name: 'x' }, spec: job() }, context);
  const x = { namespace: 'default', name: 'x' };
  const kept = await registry.delete(jobs, x, {}, context);
  t.match(kept, { gone: false, object: { metadata: { finalizers: ['orphan'] } } });
  await registry.create(jobs, 'default', { metadata: { name: 'y' }, spec: job() }, context);
  const y = { namespace: 'default', name: 'y' };
  t.match(await registry.delete(jobs, y, { propagationPolicy: 'Background' }, context), { gone: true });
});
