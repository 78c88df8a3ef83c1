import fc from 'fast-check';
import t from 'tap';
import { ApiError } from '../errors.js';
import { mergePatch } from './merge.js';
import { applyPatch, patchTypes } from './patch.js';

const pod = { group: '', version: 'v1', kind: 'Pod' };
const deployment = { group: 'apps', version: 'v1', kind: 'Deployment' };
const strategic = (current: object, patch: unknown, gvk = pod) =>
  applyPatch({ type: patchTypes.strategic, gvk, current, patch });

t.test('strategic: maps merge, nulls delete, lists follow the schema', async (t) => {
  const current = {
    metadata: { labels: { a: '1', b: '2' }, finalizers: ['x'] },
    spec: {
      containers: [
        { name: 'a', image: 'a:1', args: ['1', '2'], ports: [{ containerPort: 80 }] },
        { name: 'b', image: 'b:1' },
      ],
      tolerations: [{ key: 'a' }],
    },
  };
  const before = structuredClone(current);
  const patch = {
    metadata: { labels: { a: null, c: '3' }, finalizers: ['y'] },
    spec: {
      containers: [
        { name: 'b', image: 'b:2' },
        { name: 'a', args: ['3'], ports: [{ containerPort: 81, name: null }] },
        { name: 'c', image: 'c' },
      ],
      tolerations: [{ key: 'b' }],
    },
  };
  const result = strategic(current, patch);
  t.same(result, {
    metadata: { labels: { b: '2', c: '3' }, finalizers: ['x', 'y'].reverse() },
    spec: {
      containers: [
        { name: 'b', image: 'b:2' },
        { name: 'a', image: 'a:1', args: ['3'], ports: [{ containerPort: 81 }, { containerPort: 80 }] },
        { name: 'c', image: 'c' },
      ],
      tolerations: [{ key: 'b' }],
    },
  });
  t.same(current, before, 'the current object is not changed');
  t.not(result['metadata'], current.metadata, 'nothing is shared');
});

t.test('strategic: directives', async (t) => {
  const list = (...names: string[]) => ({ spec: { containers: names.map((name) => ({ name })) } });
  const containers = [{ name: 'b', $patch: 'delete' }];
  t.same(strategic(list('a', 'b'), { spec: { containers } }), list('a'));
  t.same(
    strategic(list('a', 'b'), { spec: { containers: [{ $patch: 'replace' }, { name: 'c' }] } }),
    list('c'),
  );
  t.same(
    strategic(
      { spec: { securityContext: { runAsUser: 1 } } },
      { spec: { securityContext: { $patch: 'replace', fsGroup: 2 } } },
    ),
    {
      spec: { securityContext: { fsGroup: 2 } },
    },
  );
  t.same(
    strategic(
      { spec: { securityContext: { runAsUser: 1 } } },
      { spec: { securityContext: { $patch: 'delete' } } },
    ),
    {
      spec: { securityContext: {} },
    },
  );
  t.same(
    strategic(
      { metadata: { finalizers: ['a', 'b'] } },
      { metadata: { '$deleteFromPrimitiveList/finalizers': ['a'] } },
    ),
    {
      metadata: { finalizers: ['b'] },
    },
  );
  t.same(
    strategic(list('a', 'b', 'c'), {
      spec: {
        '$setElementOrder/containers': [{ name: 'c' }, { name: 'd' }, { name: 'a' }],
        containers: [{ name: 'd' }],
      },
    }),
    list('b', 'c', 'd', 'a'),
  );
  t.same(
    strategic(
      { spec: { strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1 } } } },
      { spec: { strategy: { $retainKeys: ['type'], type: 'Recreate' } } },
      deployment,
    ),
    { spec: { strategy: { type: 'Recreate' } } },
  );
  t.same(
    strategic(
      {},
      {
        spec: {
          containers: [
            { name: 'a', $patch: 'delete' },
            { name: 'b', '$setElementOrder/ports': [] },
          ],
        },
      },
    ),
    list('b'),
    'directives leave no trace in new values',
  );
});

t.test('strategic: malformed patches are 400', async (t) => {
  const wrong: [unknown, RegExp][] = [
    [{ spec: { containers: [{ image: 'x' }] } }, /does not contain declared merge key: name$/],
    [{ spec: { containers: [['x']] } }, /^lists of lists are not supported$/],
    [{ spec: { containers: [{ name: 'a' }, 'b'] } }, /^list element types are not identical/],
    [{ spec: { $patch: 'swap' } }, /^unknown patch type: swap$/],
    [{ spec: { '$setElementOrder/containers': 'x' } }, /^expected a slice, but received a string$/],
    [{ spec: { $setElementOrder: [] } }, /^invalid patch format of setElementOrder list$/],
    [
      { metadata: { '$deleteFromPrimitiveList/finalizers': 'x' } },
      /^invalid patch format of primitive list$/,
    ],
    [{ spec: { $retainKeys: ['a'], nodeName: 'x' } }, /^invalid patch format of retainKeys$/],
    [
      { spec: { '$setElementOrder/containers': [{ name: 'b' }], containers: [{ name: 'a' }] } },
      /^The order in patch list:/,
    ],
    [[], /^invalid JSON document$/],
  ];
  for (const [patch, message] of wrong) {
    t.throws(
      () => strategic({ metadata: {}, spec: { containers: [{ name: 'a' }] } }, patch),
      { code: 400, message },
      `${message}`,
    );
  }
});

t.test('JSON patch', async (t) => {
  const apply = (current: object, patch: unknown) =>
    applyPatch({ type: patchTypes.json, gvk: pod, current, patch });
  const current = { metadata: { labels: { 'a/b': '1' } }, list: [1, 2] };
  t.same(
    apply(current, [
      { op: 'test', path: '/metadata/labels/a~1b', value: '1' },
      { op: 'remove', path: '/metadata/labels/a~1b' },
      { op: 'add', path: '/list/-', value: 3 },
      { op: 'move', from: '/list/0', path: '/first' },
      { op: 'copy', from: '/first', path: '/second' },
    ]),
    { metadata: { labels: {} }, list: [2, 3], first: 1, second: 1 },
  );
  t.same(current.list, [1, 2]);
  const message = 'the server rejected our request due to an error in our request';
  t.throws(() => apply({}, [{ op: 'remove', path: '/x' }]), { code: 422, reason: 'Invalid', message });
  const causesOf = (patch: unknown): unknown => {
    try {
      return apply({ a: 1 }, patch);
    } catch (error) {
      return error instanceof ApiError && error.details?.causes;
    }
  };
  const doubling = Array.from({ length: 40 }, (_, index) => ({ op: 'copy', from: '', path: `/k${index}` }));
  t.match(causesOf(doubling), [{ message: /^Unable to complete the copy, the accumulated size increase/ }]);
  t.match(causesOf([{ op: 'test', path: '/a', value: 2 }]), [
    { field: 'patch', message: 'testing value /a failed' },
  ]);
  t.match(
    causesOf([
      { op: 'remove', path: '/a' },
      { op: 'replace', path: '/b/c', value: 2 },
    ]),
    [{ field: 'patch', message: 'replace operation does not apply: doc is missing path: "/b/c"' }],
  );
  t.throws(() => apply({}, [{ op: 'fly', path: '/x' }]), { code: 422 });
  t.throws(() => apply({}, [{ op: 'add', path: '/__proto__/x', value: 1 }]), { code: 422 });
  t.throws(() => apply({}, [{ op: 'replace', path: '', value: 1 }]), { code: 422 });
  t.throws(() => apply({}, {}), { code: 400, message: /^error decoding patch/ });
  t.throws(() => apply({}, new Array(10_001).fill({ op: 'test', path: '' })), { code: 413 });
});

t.test('merge patch and media types', async (t) => {
  const merge = (current: object, patch: unknown) =>
    applyPatch({ type: patchTypes.merge, gvk: pod, current, patch });
  t.same(merge({ a: { b: 1, c: [1] }, d: 1 }, { a: { b: null, c: [2] }, d: { e: null, f: 1 } }), {
    a: { c: [2] },
    d: { f: 1 },
  });
  t.throws(() => merge({}, 'x'), { code: 400 });
  t.same(merge({}, JSON.parse('{"__proto__": {"polluted": 1}, "constructor": {"a": 1}}')), {
    constructor: { a: 1 },
  });
  t.same(strategic({}, JSON.parse('{"metadata": {"__proto__": {"polluted": 1}}}')), { metadata: {} });
  t.notOk('polluted' in {});
  const refused = (type: string) => () => applyPatch({ type, gvk: pod, current: {}, patch: {} });
  t.throws(refused('application/apply-patch+yaml'), {
    code: 415,
    message: /strategic-merge-patch\+json$/,
  });
  t.throws(refused('application/json'), {
    code: 415,
    message: /accepted media types include: application\/json-patch\+json/,
  });
  t.throws(
    () =>
      applyPatch({
        type: patchTypes.strategic,
        gvk: { group: 'x', version: 'v1', kind: 'Y' },
        current: {},
        patch: {},
      }),
    ApiError,
  );
});

const name = fc.constantFrom('a', 'b', 'c', 'd', 'e');
const containerList = fc.uniqueArray(fc.record({ name, image: fc.constantFrom('1', '2') }), {
  selector: (c) => c.name,
});
const names = (list: readonly { name: string }[]) => list.map((c) => c.name);
const podOf = (containers: unknown[]) => ({ spec: { containers } });

t.test('properties of merging', async () => {
  const json = fc.jsonValue({ maxDepth: 3 });
  fc.assert(
    fc.property(json, json, (target, patch) => {
      const once = mergePatch(target, patch);
      return JSON.stringify(mergePatch(once, patch)) === JSON.stringify(once);
    }),
  );
  fc.assert(
    fc.property(containerList, containerList, (current, patch) => {
      const once = strategic(podOf(current), podOf(patch));
      const merged: string[] = names(Object(once['spec']).containers);
      const isUnion = new Set([...names(current), ...names(patch)]).size === merged.length;
      const keepsOrder = (list: readonly { name: string }[]) =>
        names(list).join() === merged.filter((n) => names(list).includes(n)).join();
      const again = strategic(once, podOf(patch));
      return isUnion && keepsOrder(patch) && JSON.stringify(again) === JSON.stringify(once);
    }),
  );
});

t.test('kubectl apply: the diff between two lists, with its order, leads from one to the other', async () => {
  fc.assert(
    fc.property(containerList, containerList, (before, after) => {
      const added = after.filter((c) => !before.some((b) => b.name === c.name && b.image === c.image));
      const gone = before
        .filter((b) => !names(after).includes(b.name))
        .map((b) => ({ $patch: 'delete', name: b.name }));
      const order = names(after).map((n) => ({ name: n }));
      const result = strategic(podOf(before), {
        spec: { '$setElementOrder/containers': order, containers: [...added, ...gone] },
      });
      return JSON.stringify(Object(result['spec']).containers) === JSON.stringify(after);
    }),
  );
});
