import fc from 'fast-check';
import t from 'tap';
import type { Node, Pod } from '../../src/api/types.js';
import type { NodeInfo } from './nodeinfo.js';
import { toPodInfo } from './podinfo.js';
import { schedule } from './schedule.js';
import { type ClusterState, createClusterState } from './snapshot.js';
import { cluster, type GuestFields, guest, host } from './testing.js';

const anyNode = fc.record({
  cpu: fc.integer({ min: 0, max: 8 }).map(String),
  memory: fc.integer({ min: 0, max: 8 }).map((gi) => `${gi}Gi`),
  pods: fc.integer({ min: 0, max: 6 }).map(String),
});

const anyGuest: fc.Arbitrary<GuestFields> = fc.record({
  requests: fc.record({
    cpu: fc.integer({ min: 0, max: 4_000 }).map((milli) => `${milli}m`),
    memory: fc.integer({ min: 0, max: 4_096 }).map((mi) => `${mi}Mi`),
  }),
  owner: fc.constantFrom('a', 'b', 'c'),
  labels: fc.record({ app: fc.constantFrom('a', 'b', 'c') }),
  spec: fc.constantFrom(
    {},
    { containers: [{ name: 'c', ports: [{ containerPort: 80, hostPort: 80 }] }] },
    {
      affinity: {
        podAntiAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: [
            { topologyKey: 'kubernetes.io/hostname', labelSelector: { matchLabels: { app: 'a' } } },
          ],
        },
      },
    },
  ),
});

type Step =
  | { do: 'come'; pod: GuestFields }
  | { do: 'go'; which: number }
  | { do: 'node'; which: number; cpu: string };
const anyStep: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constant('come' as const), pod: anyGuest }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('go' as const), which: fc.nat(20) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('node' as const),
      which: fc.nat(5),
      cpu: fc.integer({ min: 0, max: 8 }).map(String),
    }),
  },
);

/** The naive reading of the rules, from the pods themselves. */
function fits(node: NodeInfo, pod: Pod): boolean {
  const info = toPodInfo(pod);
  const there = [...node.pods.values()];
  const used = (field: 'milliCpu' | 'memory') =>
    there.reduce((sum, { requests }) => sum + requests[field], 0);
  const room = (['milliCpu', 'memory'] as const).every(
    (field) => info.requests[field] === 0 || used(field) + info.requests[field] <= node.allocatable[field],
  );
  const avoids = (one: typeof info, other: typeof info) =>
    one.terms.antiAffinity.length > 0 && other.labels['app'] === 'a';
  return (
    room &&
    there.length < node.allocatable.pods &&
    !(info.ports.length > 0 && there.some(({ ports }) => ports.length > 0)) &&
    !there.some((other) => avoids(info, other) || avoids(other, info))
  );
}

/** The sums of a node are those of its pods, whatever came and went. */
function checkSums(
  state: ClusterState,
  nodes: readonly Node[],
  placed: ReadonlyMap<string, { pod: Pod; node: string }>,
): void {
  const fresh = createClusterState();
  for (const node of nodes) fresh.setNode(node);
  for (const { pod, node } of placed.values()) fresh.place(toPodInfo(pod), node);
  for (const { name, requested, scored, ports, pods } of fresh.nodes) {
    const kept = state.node(name);
    const view = (of: Pick<NodeInfo, 'requested' | 'scored' | 'ports' | 'pods'> | undefined) =>
      JSON.stringify([
        of?.requested,
        of?.scored,
        [...(of?.ports ?? [])].sort(),
        [...(of?.pods.keys() ?? [])].sort(),
      ]);
    if (view(kept) !== view({ requested, scored, ports, pods }))
      throw new Error(`sums of ${name} went wrong`);
  }
}

void t.test('places every pod that fits somewhere, and only where it fits', async () => {
  fc.assert(
    fc.property(
      fc.array(anyNode, { minLength: 1, maxLength: 6 }),
      fc.array(anyStep, { maxLength: 40 }),
      (hosts, steps) => {
        const nodes = hosts.map((fields, i) => host(`n${i}`, fields));
        const state = cluster(nodes);
        const placed = new Map<string, { pod: Pod; node: string }>();
        let startAt = 0;
        for (const [i, step] of steps.entries()) {
          if (step.do === 'go') {
            const [key] = [...placed.keys()].slice(step.which);
            if (key === undefined) continue;
            placed.delete(key);
            state.remove(key);
          } else if (step.do === 'node') {
            const fields = hosts[step.which];
            if (!fields) continue;
            nodes[step.which] = host(`n${step.which}`, { ...fields, cpu: step.cpu });
            state.setNode(nodes[step.which] ?? host(''));
          } else {
            const pod = guest(`p${i}`, step.pod);
            const decision = schedule(toPodInfo(pod), state, startAt);
            startAt = decision.nextStart;
            const possible = state.nodes.filter((node) => fits(node, pod)).map(({ name }) => name);
            if (decision.node === undefined) {
              if (possible.length > 0)
                throw new Error(`refused, but fits on ${possible}: ${decision.message}`);
              continue;
            }
            if (!possible.includes(decision.node))
              throw new Error(`placed on ${decision.node}, fits on ${possible}`);
            state.place(toPodInfo(pod), decision.node);
            placed.set(`default/p${i}`, { pod, node: decision.node });
          }
        }
        checkSums(state, nodes, placed);
      },
    ),
    { numRuns: 300 },
  );
});

void t.test('counts of queries follow what comes and goes', async (t) => {
  const state = cluster([host('a'), host('b')], { a: [guest('1', { labels: { app: 'web' } })] });
  const query = {
    key: 'web',
    matches: ({ labels }: { labels: Readonly<Record<string, string>> }) => labels['app'] === 'web',
  };
  t.strictSame([...state.counts(query)], [['a', 1]]);
  state.place(toPodInfo(guest('2', { labels: { app: 'web' } })), 'b');
  state.place(toPodInfo(guest('3', { labels: { app: 'api' } })), 'b');
  t.strictSame(
    [...state.counts(query)],
    [
      ['a', 1],
      ['b', 1],
    ],
  );
  state.place(toPodInfo(guest('1', { labels: { app: 'api' } })), 'a');
  state.remove('default/2');
  t.strictSame([...state.counts(query)], []);
});

void t.test('a node may come after its pods and leave before them', async (t) => {
  const state = createClusterState();
  state.place(toPodInfo(guest('early', { requests: { cpu: '3' } })), 'n');
  t.strictSame(state.nodes.length, 0);
  state.setNode(host('n'));
  t.equal(schedule(toPodInfo(guest('p', { requests: { cpu: '2' } })), state).node, undefined);
  state.removeNode('n');
  t.equal(state.node('n')?.pods.size, 1);
  state.remove('default/early');
  t.equal(state.node('n'), undefined, 'nothing is kept for ever');
});
