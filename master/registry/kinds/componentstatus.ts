/**
 * ComponentStatuses are not stored: each is asked for when somebody lists them. Deprecated in Kubernetes, but still what
 * `kubectl get cs` shows. Given to the registry by `main.ts`.
 */
import { notFound } from '../../../src/api/errors.js';
import { componentStatuses } from '../../../src/api/kinds.js';
import type { ComponentStatus } from '../../../src/api/types.js';
import type { Virtual } from '../virtual.js';

/** By name of the component: answers what is wrong with it, `undefined` when nothing is. */
export type ComponentChecks = Readonly<Record<string, () => Promise<string | undefined>>>;

const warning = 'v1 ComponentStatus is deprecated in v1.19+';

export function componentStatusesOf(checks: ComponentChecks): Virtual {
  const statusOf = async (name: string, check: ComponentChecks[string]): Promise<ComponentStatus> => {
    const problem = await check();
    const result =
      problem === undefined ? { status: 'True', message: 'ok' } : { status: 'False', error: problem };
    return {
      apiVersion: 'v1',
      kind: 'ComponentStatus',
      metadata: { name },
      conditions: [{ type: 'Healthy', ...result }],
    };
  };
  return {
    get: async ({ name }, context) => {
      context.warn(warning);
      const check = Object.hasOwn(checks, name) ? checks[name] : undefined;
      if (!check) throw notFound({ ...componentStatuses, name });
      return statusOf(name, check);
    },
    list: async (_options, context) => {
      context.warn(warning);
      return Promise.all(Object.entries(checks).map(([name, check]) => statusOf(name, check)));
    },
  };
}
