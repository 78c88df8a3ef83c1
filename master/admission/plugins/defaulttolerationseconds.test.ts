/** DefaultTolerationSeconds: on create and on update, and only where nothing covers the taint. */
import t from 'tap';
import { pods } from '../../../src/api/kinds.js';
import type { Toleration } from '../../../src/api/types.js';
import { createDefaultTolerationSeconds } from './defaulttolerationseconds.js';
import { createPluginBed } from './testing.js';

const added = (key: string): Toleration => ({
  key: `node.kubernetes.io/${key}`,
  operator: 'Exists',
  effect: 'NoExecute',
  tolerationSeconds: 120,
});
const [notReady, unreachable] = [added('not-ready'), added('unreachable')];

t.test('pods bear a lost node for a while', async (t) => {
  const { client, close } = await createPluginBed([createDefaultTolerationSeconds], {
    options: { defaultEvictionSeconds: 120 },
    before: (before) =>
      before.create(pods, {
        metadata: { namespace: 'default', name: 'old' },
        spec: { containers: [{ name: 'app', image: 'nginx' }] },
      }),
  });
  t.teardown(close);
  const create = async (name: string, tolerations?: Toleration[]): Promise<Toleration[] | undefined> => {
    const spec = { containers: [{ name: 'app', image: 'nginx' }], ...(tolerations && { tolerations }) };
    return (await client.create(pods, { metadata: { namespace: 'default', name }, spec })).spec?.tolerations;
  };
  t.strictSame(await create('none'), [notReady, unreachable]);
  const mine: Toleration = { key: 'mine', operator: 'Exists', effect: 'NoSchedule' };
  t.strictSame(await create('other', [mine]), [mine, notReady, unreachable]);
  const brief = { ...notReady, tolerationSeconds: 5 };
  t.strictSame(await create('brief', [brief]), [brief, unreachable]);
  const all: Toleration = { operator: 'Exists' };
  t.strictSame(await create('all', [all]), [all]);

  const patch = { type: 'merge' as const, body: { metadata: { labels: { a: 'b' } } } };
  const { spec } = await client.patch(pods, { namespace: 'default', name: 'old' }, patch);
  t.strictSame(
    spec?.tolerations,
    [notReady, unreachable],
    'a pod from before the plugin gets them on update',
  );
});
