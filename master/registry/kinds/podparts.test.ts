import t from 'tap';
import type { Pod } from '../../../src/api/types.js';
import { createFakeClock } from '../../../src/testing/clock.js';
import { causesOf, contextOf, createTestRegistry } from '../testing.js';

const context = contextOf();
const ref = { namespace: 'default', name: 'a' };
const { registry, rowOf } = await createTestRegistry({ clock: createFakeClock() });
const pods = rowOf('pods');
const resources = { requests: { cpu: '100m', memory: '64Mi' }, limits: { memory: '128Mi' } };
const containers = [{ name: 'main', image: 'nginx', resources }];
await registry.create(pods, 'default', { metadata: { name: 'a' }, spec: { containers } }, context);

const sysctl = 'spec.securityContext.sysctls';
const sysctlFormat =
  'must have at most 253 characters and match regex ([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?';

t.test('ephemeral containers are added, and stay', async (t) => {
  const write = (ephemeralContainers: object[], dryRun = true) =>
    registry.patch(
      pods,
      ref,
      { type: 'merge', body: { spec: { ephemeralContainers, nodeName: 'ignored' } } },
      contextOf({ dryRun }),
      'ephemeralcontainers',
    );
  const debug = { name: 'debug', image: 'busybox', stdin: true, tty: true, targetContainerName: 'main' };
  const at = 'spec.ephemeralContainers[0]';
  const not = 'Forbidden: cannot be set for an Ephemeral Container';
  const cases: [object, string[]][] = [
    [{ name: 'main', image: 'x' }, [`${at}.name: Duplicate value: "main"`]],
    [{ name: 'd' }, [`${at}.image: Required value`]],
    [{ ...debug, targetContainerName: 'x' }, [`${at}.targetContainerName: Not found: "x"`]],
    [
      { ...debug, ports: [{ containerPort: 80 }], lifecycle: { preStop: { exec: { command: ['a'] } } } },
      [`${at}.ports: ${not}`, `${at}.lifecycle: ${not}`],
    ],
    [{ ...debug, resources: { limits: { cpu: '1' } } }, [`${at}.resources: ${not}`]],
  ];
  for (const [container, expected] of cases)
    t.same(await causesOf(write([container])), expected, JSON.stringify(container));

  const added = (await write([debug], false)).object as Pod;
  t.match(added, {
    metadata: { generation: 2 },
    spec: { ephemeralContainers: [{ ...debug, terminationMessagePath: '/dev/termination-log' }] },
  });
  t.equal(added.spec?.nodeName, undefined, 'nothing else is written this way');
  t.same(await causesOf(write([])), [
    'spec.ephemeralContainers: Forbidden: existing ephemeral containers "debug" may not be removed\n',
  ]);
  t.match(await causesOf(write([{ ...debug, image: 'other' }])), [
    /^spec\.ephemeralContainers: Forbidden: existing ephemeral containers "debug" may not be changed\n/,
  ]);
  t.same(await causesOf(write([debug, { name: 'more', image: 'busybox' }])), []);
  t.match(
    await causesOf(
      registry.patch(pods, ref, { type: 'merge', body: { spec: { ephemeralContainers: [] } } }, context),
    ),
    [/^spec: Forbidden: pod updates may not change fields other than/],
    'not by a plain update',
  );
  t.same(
    await causesOf(
      registry.create(
        pods,
        'default',
        { metadata: { name: 'b' }, spec: { containers, ephemeralContainers: [debug] } },
        context,
      ),
    ),
    ['spec.ephemeralContainers: Forbidden: cannot be set on create'],
  );
});

t.test('resize changes cpu and memory of containers', async (t) => {
  const write = (given: object, dryRun = true) =>
    registry.patch(
      pods,
      ref,
      { type: 'strategic', body: { spec: { containers: [{ name: 'main', ...given }] } } },
      contextOf({ dryRun }),
      'resize',
    );
  t.match((await write({ resources: { requests: { cpu: '200m' } }, image: 'ignored' })).object, {
    spec: { containers: [{ image: 'nginx', resources: { requests: { cpu: '200m', memory: '64Mi' } } }] },
  });
  t.same(await causesOf(write({ resources: { requests: { cpu: null } } })), [
    'spec.containers[0].resources.requests: Forbidden: resource requests cannot be removed',
  ]);
  t.match(await causesOf(write({ resources: { limits: { 'ephemeral-storage': '1Gi' } } })), [
    /^spec: Forbidden: only cpu and memory resources are mutable\n/,
  ]);
  t.match(
    await causesOf(
      write({ resources: { requests: { cpu: '1', memory: '1Gi' }, limits: { cpu: '1', memory: '1Gi' } } }),
    ),
    ['spec: Invalid value: "Guaranteed": Pod QOS Class may not change as a result of resizing'],
  );
  t.same(await causesOf(write({ resources: { requests: { memory: '1Gi' } } })), [
    'spec.containers[0].resources.requests: Invalid value: "1Gi": must be less than or equal to memory limit of 128Mi',
  ]);
  const more = { type: 'merge' as const, body: { spec: { containers: [...containers, ...containers] } } };
  t.match(await causesOf(registry.patch(pods, ref, more, context, 'resize')), [
    /Duplicate value/,
    'spec.containers: Forbidden: containers may not be renamed or reordered on resize',
  ]);
});

t.test('scheduling gates only go away', async (t) => {
  const spec = { containers, schedulingGates: [{ name: 'a' }, { name: 'b' }], nodeSelector: { zone: 'x' } };
  const make = (more: object, dryRun = true) =>
    registry.create(
      pods,
      'default',
      { metadata: { name: 'g' }, spec: { ...spec, ...more } },
      contextOf({ dryRun }),
    );
  t.same(await causesOf(make({ nodeName: 'n' })), [
    'spec.nodeName: Forbidden: cannot be set until all schedulingGates have been cleared',
  ]);
  t.same(await causesOf(make({ schedulingGates: [{ name: 'a' }, { name: 'a' }] })), [
    'spec.schedulingGates[1]: Duplicate value: "a"',
  ]);
  t.match((await make({}, false)).object, {
    status: { conditions: [{ type: 'PodScheduled', status: 'False', reason: 'SchedulingGated' }] },
  });
  const gated = { namespace: 'default', name: 'g' };
  const change = (body: object, dryRun = true) =>
    registry.patch(pods, gated, { type: 'merge', body: { spec: body } }, contextOf({ dryRun }));
  t.same(await causesOf(change({ schedulingGates: [{ name: 'c' }] })), [
    "spec.schedulingGates: Forbidden: only deletion is allowed, but found new scheduling gate 'c'",
  ]);
  t.same(await causesOf(change({ nodeSelector: { zone: 'y' } })), [
    'spec.nodeSelector: Invalid value: {"zone":"y"}: only additions to spec.nodeSelector are allowed (no mutations or deletions)',
  ]);
  t.same(await causesOf(change({ nodeSelector: { disk: 'ssd' } })), []);
  const target = { metadata: { name: 'g' }, target: { kind: 'Node', name: 'n' } };
  await t.rejects(registry.post(pods, gated, 'binding', target, context), { code: 409 });
  await change({ schedulingGates: [] }, false);
  t.match(await causesOf(change({ nodeSelector: { disk: 'ssd' } })), [
    /^spec: Forbidden: pod updates may not/,
  ]);
  await t.resolves(registry.post(pods, gated, 'binding', target, context));
});

t.test('placement', async (t) => {
  const refusal = (more: object) =>
    causesOf(
      registry.create(
        pods,
        'default',
        { metadata: { name: 'p' }, spec: { containers, ...more } },
        contextOf({ dryRun: true }),
      ),
    );
  const spread = { maxSkew: 1, topologyKey: 'zone', whenUnsatisfiable: 'DoNotSchedule', labelSelector: {} };
  const at = 'spec.topologySpreadConstraints';
  const cases: [object, string[]][] = [
    [{ topologySpreadConstraints: [spread] }, []],
    [
      { topologySpreadConstraints: [{ ...spread, maxSkew: 0, whenUnsatisfiable: 'Never', topologyKey: '' }] },
      [
        `${at}[0].maxSkew: Invalid value: 0: must be greater than zero`,
        `${at}[0].topologyKey: Required value: can not be empty`,
        `${at}[0].whenUnsatisfiable: Unsupported value: "Never": supported values: "DoNotSchedule", "ScheduleAnyway"`,
      ],
    ],
    [
      { topologySpreadConstraints: [spread, spread] },
      [`${at}[1].{topologyKey, whenUnsatisfiable}: Duplicate value: "{zone, DoNotSchedule}"`],
    ],
    [
      { hostPID: true, shareProcessNamespace: true },
      [
        'spec.shareProcessNamespace: Invalid value: true: ShareProcessNamespace and HostPID cannot both be enabled',
      ],
    ],
    [
      {
        securityContext: {
          sysctls: ['foo-', 'kernel.shmmax', 'net/ipv4/tcp_syncookies', 'bar..', '', 'kernel.shmmax'].map(
            (name) => ({ name, value: '1' }),
          ),
        },
      },
      [
        `${sysctl}[0].name: Invalid value: "foo-": ${sysctlFormat}`,
        `${sysctl}[3].name: Invalid value: "bar..": ${sysctlFormat}`,
        `${sysctl}[4].name: Required value`,
        `${sysctl}[5].name: Duplicate value: "kernel.shmmax"`,
      ],
    ],
    [
      { os: { name: 'beos' } },
      ['spec.os.name: Unsupported value: "beos": supported values: "linux", "windows"'],
    ],
  ];
  for (const [more, expected] of cases) t.same(await refusal(more), expected, JSON.stringify(more));
});
