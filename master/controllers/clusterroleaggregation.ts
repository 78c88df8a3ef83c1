/**
 * 5. Keeps the rules of ClusterRoles that have an aggregationRule: those of all roles that its selectors choose. Whatever
 * else is written into such a role is overwritten, as documented.
 */
import { isDeepStrictEqual } from 'node:util';
import { clusterRoles } from '../../src/api/kinds.js';
import { SelectorError } from '../../src/api/selectors.js';
import type { ClusterRole, PolicyRule } from '../../src/api/types.js';
import { type Controller, createController, on } from '../../src/client/controller.js';
import { type ReconcileResult, TerminalError } from '../../src/client/reconciler.js';
import { gatheredRules } from '../auth/rbacgather.js';
import type { ControllerContext } from './context.js';

const name = 'clusterrole-aggregation-controller';

export function createClusterRoleAggregationController(context: ControllerContext): Controller {
  const { client, clock, log } = context;
  const cache = context.informers.get(clusterRoles);

  /** A role that gathers may itself be gathered: a change goes on from one to the next. */
  const gathering = (): string[] =>
    cache.list().flatMap(({ metadata, aggregationRule }) => (aggregationRule ? [metadata.name ?? ''] : []));

  async function reconcile(key: string, { signal }: { signal: AbortSignal }): Promise<ReconcileResult> {
    const role = cache.getByKey(key);
    if (!role || role.metadata.deletionTimestamp) return undefined;
    const rules = wantedRules(role, cache.list());
    if (!rules || isDeepStrictEqual(plain(rules), plain(role.rules ?? []))) return undefined;
    await client.update(clusterRoles, { ...role, rules }, { signal, fieldManager: name });
    return undefined;
  }

  return createController({ name, clock, log, sources: [on(cache, gathering)], reconciler: { reconcile } });
}

function wantedRules(role: ClusterRole, all: readonly ClusterRole[]): PolicyRule[] | undefined {
  try {
    return gatheredRules(role, all);
  } catch (error) {
    if (error instanceof SelectorError) throw new TerminalError(error.message, { cause: error });
    throw error;
  }
}

/** Without the difference between absent and undefined. */
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));
