/** PodTopologyLabels: zone and region of the node, whoever says which node it is. */
import t from 'tap';
import { nodes, pods } from '../../../src/api/kinds.js';
import { createPodTopologyLabels } from './podtopologylabels.js';
import { createPluginBed } from './testing.js';

t.test('a pod has the zone of its node', async (t) => {
  const place = { 'topology.kubernetes.io/zone': 'z1', 'topology.kubernetes.io/region': 'r1' };
  const { client, close } = await createPluginBed([createPodTopologyLabels], {
    before: async (before) => {
      await before.create(nodes, { metadata: { name: 'n1', labels: { ...place, disk: 'ssd' } } });
      await before.create(nodes, { metadata: { name: 'n2' } });
    },
  });
  t.teardown(close);
  const create = (name: string, nodeName?: string) =>
    client.create(pods, {
      metadata: { namespace: 'default', name, labels: { app: 'web' } },
      spec: { containers: [{ name: 'app', image: 'nginx' }], ...(nodeName && { nodeName }) },
    });
  const bind = async (name: string, node: string) => {
    await create(name);
    const ref = { namespace: 'default', name };
    await client.post(pods, ref, 'binding', { metadata: { name }, target: { kind: 'Node', name: node } });
    return client.get(pods, ref);
  };
  const own = { app: 'web' };
  t.strictSame((await create('waiting')).metadata.labels, own);
  t.strictSame((await create('fixed', 'n1')).metadata.labels, { ...own, ...place });
  t.strictSame((await bind('one', 'n1')).metadata.labels, { ...own, ...place });
  t.strictSame((await bind('two', 'n2')).metadata.labels, own);
  t.strictSame((await bind('three', 'missing')).metadata.labels, own);
});
