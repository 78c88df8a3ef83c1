/** RuntimeClass: what a pod gets from its class, and what contradicts it. */
import t from 'tap';
import { pods, runtimeClasses } from '../../../src/api/kinds.js';
import type { Pod, PodSpec, Toleration } from '../../../src/api/types.js';
import { mergeTolerations } from './mergetolerations.js';
import { createRuntimeClass } from './runtimeclass.js';
import { createPluginBed } from './testing.js';

t.test('a pod gets what its class says', async (t) => {
  const { client, close } = await createPluginBed([createRuntimeClass], {
    before: async (before) => {
      await before.create(runtimeClasses, {
        metadata: { name: 'vm' },
        handler: 'kata',
        overhead: { podFixed: { cpu: '250m', memory: '64Mi' } },
        scheduling: { nodeSelector: { vm: 'yes' }, tolerations: [{ key: 'vm', operator: 'Exists' }] },
      });
      await before.create(runtimeClasses, { metadata: { name: 'plain' }, handler: 'runc' });
    },
  });
  t.teardown(close);
  const create = (spec: Partial<PodSpec>, name = 'web'): Promise<Pod> =>
    client.create(pods, {
      metadata: { namespace: 'default', name },
      spec: { containers: [{ name: 'app', image: 'nginx' }], ...spec },
    });
  t.match((await create({ runtimeClassName: 'vm' })).spec, {
    overhead: { cpu: '250m', memory: '64Mi' },
    nodeSelector: { vm: 'yes' },
    tolerations: [{ key: 'vm', operator: 'Exists' }],
  });
  const own = await create(
    {
      runtimeClassName: 'vm',
      overhead: { cpu: '0.25', memory: '65536Ki' },
      nodeSelector: { disk: 'ssd', vm: 'yes' },
      tolerations: [{ key: 'mine', operator: 'Exists' }],
    },
    'own',
  );
  t.match(own.spec?.nodeSelector, { disk: 'ssd', vm: 'yes' });
  t.strictSame(
    own.spec?.tolerations?.map(({ key }) => key),
    ['mine', 'vm'],
  );
  const plain = await create({ runtimeClassName: 'plain' }, 'plain');
  t.notHas(plain.spec, { overhead: {} });

  const differs = "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead";
  const unfounded = 'pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead';
  const refused: [Partial<PodSpec>, string][] = [
    [{ runtimeClassName: 'nope' }, 'pod rejected: RuntimeClass "nope" not found'],
    [{ runtimeClassName: 'vm', overhead: { cpu: '250m' } }, differs],
    [{ runtimeClassName: 'vm', overhead: { cpu: '1', memory: '64Mi' } }, differs],
    [{ runtimeClassName: 'plain', overhead: { cpu: '1' } }, unfounded],
    [{ overhead: { cpu: '1' } }, unfounded],
    [
      { runtimeClassName: 'vm', nodeSelector: { vm: 'no' } },
      'conflict: runtimeClass.scheduling.nodeSelector[vm] = yes; pod.spec.nodeSelector[vm] = no',
    ],
  ];
  for (const [spec, why] of refused)
    await t.rejects(create(spec, 'x'), { reason: 'Forbidden', message: `pods "x" is forbidden: ${why}` });
});

t.test('tolerations as one list', async (t) => {
  const exists = (key: string, more: Toleration = {}): Toleration => ({ key, operator: 'Exists', ...more });
  const equal = (key: string, value: string): Toleration => ({ key, operator: 'Equal', value });
  const cases: [string, Toleration[], Toleration[], Toleration[]][] = [
    ['different ones stay, in order', [exists('a')], [exists('b')], [exists('a'), exists('b')]],
    ['the same one once', [exists('a')], [exists('a')], [exists('a')]],
    ['the wider one before', [exists('a')], [equal('a', 'x')], [exists('a')]],
    ['the wider one behind', [equal('a', 'x')], [exists('a')], [exists('a')]],
    ['anything', [equal('a', 'x'), exists('b')], [{ operator: 'Exists' }], [{ operator: 'Exists' }]],
    ['another value', [equal('a', 'x')], [equal('a', 'y')], [equal('a', 'x'), equal('a', 'y')]],
    ['every effect', [exists('a', { effect: 'NoSchedule' })], [exists('a')], [exists('a')]],
    [
      'for longer',
      [exists('a', { effect: 'NoExecute', tolerationSeconds: 5 })],
      [exists('a', { effect: 'NoExecute', tolerationSeconds: 60 })],
      [exists('a', { effect: 'NoExecute', tolerationSeconds: 60 })],
    ],
    [
      'for ever',
      [exists('a', { effect: 'NoExecute', tolerationSeconds: 5 })],
      [exists('a', { effect: 'NoExecute' })],
      [exists('a', { effect: 'NoExecute' })],
    ],
  ];
  for (const [why, first, second, wanted] of cases)
    t.strictSame(mergeTolerations(first, second), wanted, why);
});
