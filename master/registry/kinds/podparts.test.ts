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
