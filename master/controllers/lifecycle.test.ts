import t from 'tap';
import { configMaps, pods } from '../../src/api/kinds.js';
import type { KubeObject, Node, OwnerReference, Taint, Toleration } from '../../src/api/types.js';
import { mustParseCidr } from '../../src/net/cidr.js';
import { namespace, node, pod } from '../../src/testing/builders.js';
import { blocking, type OwnerState, plan as planGarbage } from './garbageplan.js';
import { plan as planNamespace } from './namespace.js';
import { heldBlocks } from './nodeipam.js';
import { plan as planNode } from './nodeplan.js';
import { surplus } from './podgc.js';
import { evictInMs, stayMs, tolerates } from './tainteviction.js';

const now = new Date('2026-01-01T01:00:00Z');

void t.test('conditions and taints of a node', (t) => {
  const notReady = 'node.kubernetes.io/not-ready';
  const unreachable = 'node.kubernetes.io/unreachable';
  const foreign: Taint = { key: 'mine', effect: 'NoSchedule' };
  const old: Taint[] = [
    { key: unreachable, effect: 'NoSchedule' },
    foreign,
    { key: unreachable, effect: 'NoExecute' },
  ];
  const pressed = { ...node('n', { ready: 'True' }) };
  pressed.status = {
    conditions: [...(pressed.status?.conditions ?? []), { type: 'DiskPressure', status: 'True' }],
  };
  const cases: [
    string,
    Node,
    { silentMs?: number; others?: boolean },
    string[] | undefined,
    string | undefined,
  ][] = [
    ['never reported', node('n'), {}, [`${notReady}:NoSchedule`], undefined],
    [
      'never reported, too long',
      node('n'),
      { silentMs: 40_000 },
      [`${unreachable}:NoSchedule`, `${unreachable}:NoExecute`],
      'NodeStatusNeverUpdated',
    ],
    ['ready', node('n', { ready: 'True' }), {}, undefined, undefined],
    [
      'says that it is not ready',
      node('n', { ready: 'False' }),
      {},
      [`${notReady}:NoSchedule`, `${notReady}:NoExecute`],
      undefined,
    ],
    [
      'silent',
      node('n', { ready: 'True' }),
      { silentMs: 40_000 },
      [`${unreachable}:NoSchedule`, `${unreachable}:NoExecute`],
      'NodeStatusUnknown',
    ],
    [
      'silent like all others',
      node('n', { ready: 'True' }),
      { silentMs: 40_000, others: true },
      [`${unreachable}:NoSchedule`],
      'NodeStatusUnknown',
    ],
    ['back', node('n', { ready: 'True', spec: { taints: old } }), {}, ['mine:NoSchedule'], undefined],
    [
      'cordoned',
      node('n', { ready: 'True', spec: { unschedulable: true } }),
      {},
      ['node.kubernetes.io/unschedulable:NoSchedule'],
      undefined,
    ],
    ['disk full', pressed, {}, ['node.kubernetes.io/disk-pressure:NoSchedule'], undefined],
  ];
  for (const [why, one, { silentMs = 0, others = false }, taints, reason] of cases) {
    const steps = planNode({ node: one, silentMs, graceMs: 40_000, isEveryOtherSilent: others, now });
    t.strictSame(
      steps.taints?.map(({ key, effect }) => `${key}:${effect}`),
      taints,
      `${why}: taints`,
    );
    t.equal(steps.conditions?.find(({ type }) => type === 'Ready')?.reason, reason, `${why}: condition`);
    t.equal(steps.nextMs, silentMs === 0 ? 40_000 : undefined, `${why}: next look`);
  }
  const once = planNode({
    node: node('n', { ready: 'True' }),
    silentMs: 40_000,
    graceMs: 40_000,
    isEveryOtherSilent: false,
    now,
  });
  const { conditions = [], taints = [] } = once;
  const after = { ...node('n'), status: { conditions }, spec: { taints } };
  const twice = planNode({
    node: after,
    silentMs: 90_000,
    graceMs: 40_000,
    isEveryOtherSilent: false,
    now: new Date(0),
  });
  t.match(twice, { conditions: undefined, taints: undefined, isUnknown: true }, 'steady');
  t.end();
});

void t.test('tolerations', (t) => {
  const taint: Taint = { key: 'k', value: 'v', effect: 'NoExecute' };
  const cases: [Toleration, boolean][] = [
    [{ operator: 'Exists' }, true],
    [{ key: 'k', operator: 'Exists' }, true],
    [{ key: 'k', operator: 'Equal', value: 'v' }, true],
    [{ key: 'k', value: 'v', effect: 'NoExecute' }, true],
    [{ key: 'k', value: 'w' }, false],
    [{ key: 'k', value: 'v', effect: 'NoSchedule' }, false],
    [{ key: 'other', operator: 'Exists' }, false],
    [{}, false],
  ];
  for (const [toleration, expected] of cases)
    t.equal(tolerates(toleration, taint), expected, JSON.stringify(toleration));

  const down: Taint = {
    key: 'node.kubernetes.io/unreachable',
    effect: 'NoExecute',
    timeAdded: '2026-01-01T00:59:00Z',
  };
  const withTolerations = (...tolerations: Toleration[]) => pod('a', { spec: { tolerations } });
  t.equal(stayMs(withTolerations(), down, 300), 300_000, 'borne by default');
  t.equal(stayMs(withTolerations(), taint, 300), 0, 'others are not');
  t.equal(stayMs(withTolerations({ operator: 'Exists' }), down, 300), Number.POSITIVE_INFINITY);
  t.equal(
    stayMs(
      withTolerations(
        { operator: 'Exists', tolerationSeconds: 20 },
        { operator: 'Exists', tolerationSeconds: 5 },
      ),
      down,
      300,
    ),
    5_000,
  );
  t.equal(stayMs(withTolerations({ operator: 'Exists', tolerationSeconds: -1 }), down, 300), 0);
  const options = { defaultSeconds: 300, now, addedMs: (one: Taint) => Date.parse(one.timeAdded ?? '') };
  t.equal(evictInMs(withTolerations(), [down], options), 240_000);
  t.equal(
    evictInMs(withTolerations(), [{ ...down, effect: 'NoSchedule' }], options),
    Number.POSITIVE_INFINITY,
  );
  t.end();
});

void t.test('garbage: what becomes of an object by the state of its owners', (t) => {
  const reference = (uid: string): OwnerReference => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    name: uid,
    uid,
  });
  const object = (finalizers: string[] = []): KubeObject => ({ metadata: { name: 'x', finalizers } });
  const cases: [string, KubeObject, OwnerState[], boolean, object][] = [
    ['no owner', object(), [], false, { do: 'nothing' }],
    ['owner there', object(), ['solid'], false, { do: 'nothing' }],
    ['owner gone', object(), ['absent'], false, { do: 'delete', propagationPolicy: 'Background' }],
    ['one of two gone', object(), ['absent', 'solid'], false, { do: 'disown', uids: ['0'] }],
    ['one going, one there', object(), ['solid', 'waiting'], false, { do: 'disown', uids: ['1'] }],
    ['unknown kinds hold on', object(), ['unknown', 'absent'], false, { do: 'disown', uids: ['1'] }],
    ['owner waits', object(), ['waiting'], false, { do: 'delete', propagationPolicy: 'Background' }],
    [
      'owner waits, dependents of its own',
      object(),
      ['waiting'],
      true,
      { do: 'delete', propagationPolicy: 'Foreground' },
    ],
    [
      'wants its dependents orphaned',
      object(['orphan']),
      ['absent'],
      false,
      { do: 'delete', propagationPolicy: 'Orphan' },
    ],
    ['goes already', { metadata: { deletionTimestamp: 'x' } }, ['absent'], false, { do: 'nothing' }],
  ];
  for (const [why, one, states, hasDependents, expected] of cases) {
    const owners = states.map((state, i) => ({ reference: reference(String(i)), state }));
    t.strictSame(planGarbage(one, owners, hasDependents ? [object()] : []), expected, why);
  }
  const going: KubeObject = { metadata: { deletionTimestamp: 'x', finalizers: ['foregroundDeletion'] } };
  const inCircle = (blockOwnerDeletion: boolean): object =>
    planGarbage(
      object(),
      [{ reference: { ...reference('o'), blockOwnerDeletion }, state: 'waiting' }],
      [going],
    );
  t.strictSame(inCircle(true), { do: 'unblock' }, 'a circle is opened');
  t.strictSame(inCircle(false), { do: 'delete', propagationPolicy: 'Foreground' }, 'once');
  const dependent = (block: boolean): KubeObject => ({
    metadata: { ownerReferences: [{ ...reference('o'), blockOwnerDeletion: block }] },
  });
  t.equal(blocking('o', [dependent(true), dependent(false)]).length, 1);
  t.end();
});

void t.test('a namespace ends when it is empty, and says what it waits for', (t) => {
  const ending = { ...namespace('a'), spec: { finalizers: ['kubernetes', 'mine'] } };
  t.match(planNamespace(ending, [{ type: pods, objects: [] }], now), {
    do: 'finalize',
    namespace: { spec: { finalizers: ['mine'] } },
  });
  const held = { metadata: { name: 'x', finalizers: ['example.com/a'] } };
  const waiting = planNamespace(
    ending,
    [
      { type: pods, objects: [pod()] },
      { type: configMaps, objects: [held] },
    ],
    now,
  );
  t.match(waiting, {
    do: 'wait',
    conditions: [
      {
        type: 'NamespaceContentRemaining',
        message:
          'Some resources are remaining: pods. has 1 resource instances, configmaps. has 1 resource instances',
      },
      { type: 'NamespaceFinalizersRemaining', status: 'True' },
    ],
  });
  t.end();
});

void t.test('blocks in use, and pods beyond the threshold', (t) => {
  const withBlock = (name: string, podCIDR: string) => node(name, { spec: { podCIDR } });
  const held = heldBlocks(mustParseCidr('10.244.0.0/16'), 24, [
    withBlock('a', '10.244.7.0/24'),
    withBlock('b', '10.9.0.0/24'),
    withBlock('c', '10.244.8.0/25'),
    node('d'),
  ]);
  t.strictSame([...held], [['a', 7]]);
  const ended = (name: string, creationTimestamp: string) =>
    pod(name, { meta: { creationTimestamp }, status: { phase: 'Failed' } });
  t.strictSame(
    surplus([ended('c', '3'), ended('a', '1'), pod('live'), ended('b', '2')], 1).map(
      (one) => one.metadata.name,
    ),
    ['a', 'b'],
  );
  t.end();
});
