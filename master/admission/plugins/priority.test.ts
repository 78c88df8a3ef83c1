/** Priority: where a pod has its priority from, and that only one class is the default. */
import t, { type Test } from 'tap';
import { pods, priorityClasses } from '../../../src/api/kinds.js';
import type { Pod, PodSpec, PriorityClass } from '../../../src/api/types.js';
import { createPriority } from './priority.js';
import { createPluginBed, type PluginBed } from './testing.js';

const classOf = (name: string, value: number, more: Partial<PriorityClass> = {}): PriorityClass => ({
  metadata: { name },
  value,
  ...more,
});

async function bed(t: Test, ...classes: PriorityClass[]): Promise<PluginBed> {
  const made = await createPluginBed([createPriority], {
    before: async (client) => {
      for (const one of classes) await client.create(priorityClasses, one);
    },
  });
  t.teardown(() => made.close());
  return made;
}

const create = ({ client }: PluginBed, name: string, spec: Partial<PodSpec> = {}): Promise<Pod> =>
  client.create(pods, {
    metadata: { namespace: 'default', name },
    spec: { containers: [{ name: 'app', image: 'nginx' }], ...spec },
  });

t.test('a pod gets what its class says', async (t) => {
  const made = await bed(t, classOf('high', 1000), classOf('calm', -5, { preemptionPolicy: 'Never' }));
  t.match((await create(made, 'none')).spec, { priority: 0, preemptionPolicy: 'PreemptLowerPriority' });
  t.match((await create(made, 'high', { priorityClassName: 'high' })).spec, {
    priority: 1000,
    preemptionPolicy: 'PreemptLowerPriority',
  });
  t.match((await create(made, 'calm', { priorityClassName: 'calm', priority: -5 })).spec, {
    priority: -5,
    preemptionPolicy: 'Never',
  });
  const refused: [Partial<PodSpec>, string][] = [
    [{ priorityClassName: 'nope' }, 'no PriorityClass with name nope was found'],
    [
      { priorityClassName: 'high', priority: 7 },
      'the integer value of priority (7) must not be provided in pod spec; priority admission controller computed 1000 from the given PriorityClass name',
    ],
    [
      { priority: 7 },
      'the integer value of priority (7) must not be provided in pod spec; priority admission controller computed 0 from the given PriorityClass name',
    ],
    [
      { priorityClassName: 'high', preemptionPolicy: 'Never' },
      'the string value of PreemptionPolicy (Never) must not be provided in pod spec; priority admission controller computed PreemptLowerPriority from the given PriorityClass name',
    ],
  ];
  for (const [spec, why] of refused)
    await t.rejects(create(made, 'x', spec), {
      reason: 'Forbidden',
      message: `pods "x" is forbidden: ${why}`,
    });
});

t.test('an update keeps what it leaves out', async (t) => {
  const made = await bed(t, classOf('high', 1000));
  const { metadata, spec } = await create(made, 'web', { priorityClassName: 'high' });
  const { priority: _p, preemptionPolicy: _q, ...rest } = spec ?? { containers: [] };
  const updated = await made.client.update(pods, {
    metadata: { ...metadata, labels: { a: 'b' } },
    spec: rest,
  });
  t.match(updated, { metadata: { labels: { a: 'b' } }, spec: { priority: 1000 } });
  await t.rejects(
    made.client.update(pods, { metadata: updated.metadata, spec: { ...rest, priority: 1 } }),
    /pod updates may not change fields other than/,
  );
});

t.test('one class is the default', async (t) => {
  const made = await bed(t, classOf('usual', 10, { globalDefault: true }), classOf('high', 1000));
  t.match((await create(made, 'web')).spec, { priorityClassName: 'usual', priority: 10 });
  const { client } = made;
  const why = {
    reason: 'Forbidden',
    message:
      'priorityclasses.scheduling.k8s.io "high" is forbidden: PriorityClass usual is already marked as default. Only one default can exist',
  };
  const mark = (name: string, globalDefault: boolean) =>
    client.patch(priorityClasses, { name }, { type: 'merge', body: { globalDefault } });
  await t.rejects(mark('high', true), why);
  await t.rejects(
    client.create(priorityClasses, classOf('third', 3, { globalDefault: true })),
    /usual is already/,
  );
  await client.patch(priorityClasses, { name: 'usual' }, { type: 'merge', body: { description: 'x' } });
  await mark('usual', false);
  await mark('high', true);
  t.equal((await client.get(priorityClasses, { name: 'high' })).globalDefault, true);
});
