/**
 * metrics.k8s.io/v1beta1, answered by the master itself: who asks makes it ask the agents, each once for all of its pods.
 * Called by the registry. Nothing is polled, nothing is kept longer than a moment.
 *
 * A node that does not answer in time is left out of lists, as with metrics-server; asked for by name it is NotFound.
 */
import { isReason, notFound } from '../../src/api/errors.js';
import { nodes, pods } from '../../src/api/kinds.js';
import { findCondition } from '../../src/api/meta.js';
import type { Node, Pod } from '../../src/api/types.js';
import type { Client } from '../../src/client/client.js';
import type { Clock } from '../../src/host/clock.js';
import type { Logger } from '../../src/host/log.js';
import type { Virtual } from '../registry/virtual.js';
import { nodeMetrics, podMetrics, type Summary } from './summary.js';

export interface UsageOptions {
  client: Pick<Client, 'get' | 'list'>;
  /** Asks the node's agent. */
  fetchSummary(node: Node, signal: AbortSignal): Promise<Summary>;
  clock: Pick<Clock, 'monotonicMs'>;
  log: Logger;
}

const group = 'metrics.k8s.io';

/** The agent itself may take half a second for its first answer. */
const answerWithinMs = 5000;
/** Those who ask within this time share an answer, such as one controller per Deployment. */
const shareMs = 2000;

/** Keyed as the registry wants them. */
export function usageMetrics(options: UsageOptions): ReadonlyMap<string, Virtual> {
  const { client } = options;
  const summaryOf = createSummaries(options);

  async function ofPods(found: readonly Pod[]): Promise<ReturnType<typeof podMetrics>[]> {
    const names = new Set(found.map(({ spec }) => spec?.nodeName).filter((name) => name !== undefined));
    const summaries = new Map<string, Summary | undefined>();
    await Promise.all([...names].map(async (name) => summaries.set(name, await summaryOf(name))));
    return found.map((pod) => {
      const summary = summaries.get(pod.spec?.nodeName ?? '');
      return summary && podMetrics(pod, summary);
    });
  }

  return new Map<string, Virtual>([
    [
      `nodes.${group}`,
      {
        async get({ name }) {
          const node = await client.get(nodes, { name });
          const summary = await summaryOf(name);
          const found = summary && nodeMetrics(node, summary);
          if (!found) throw notFound({ group, resource: 'nodes', name });
          return found;
        },
        async list() {
          const { items } = await client.list(nodes);
          const found = await Promise.all(
            items.map(async (node) => {
              const summary = await summaryOf(node.metadata.name ?? '');
              return summary && nodeMetrics(node, summary);
            }),
          );
          return found.filter((metrics) => metrics !== undefined);
        },
      },
    ],
    [
      `pods.${group}`,
      {
        async get(ref) {
          const [found] = await ofPods([await client.get(pods, ref)]);
          if (!found) throw notFound({ group, resource: 'pods', name: ref.name });
          return found;
        },
        async list({ namespace }) {
          const { items } = await client.list(pods, { namespace });
          return (await ofPods(items)).filter((metrics) => metrics !== undefined);
        },
      },
    ],
  ]);
}

/** Resolves with `undefined` for a node that is gone or whose agent does not answer. */
function createSummaries({ client, fetchSummary, clock, log }: UsageOptions) {
  const shared = new Map<string, { atMs: number; summary: Promise<Summary | undefined> }>();

  async function ask(name: string): Promise<Summary | undefined> {
    try {
      const node = await client.get(nodes, { name });
      // Not heard of for a while: who asks for all nodes shall not wait for that one.
      if (findCondition(node.status?.conditions, 'Ready')?.status === 'Unknown') return undefined;
      return await fetchSummary(node, AbortSignal.timeout(answerWithinMs));
    } catch (err) {
      if (!isReason(err, 'NotFound')) log.warn({ err, node: name }, 'cannot ask an agent what its node uses');
      return undefined;
    }
  }

  return (name: string): Promise<Summary | undefined> => {
    const atMs = clock.monotonicMs();
    for (const [other, entry] of shared) if (atMs - entry.atMs >= shareMs) shared.delete(other);
    const known = shared.get(name);
    if (known) return known.summary;
    const summary = ask(name);
    shared.set(name, { atMs, summary });
    return summary;
  };
}
