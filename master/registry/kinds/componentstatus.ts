/**
 * ComponentStatuses are not stored: each is asked for when somebody lists them. Deprecated in Kubernetes, but still what
 * `kubectl get cs` shows. Given to the registry by `main.ts`.
 */
import { notFound } from '../../../src/api/errors.js';
import { componentStatuses } from '../../../src/api/kinds.js';
import type { ComponentStatus } from '../../../src/api/types.js';
import type { Health } from '../../../src/host/component.js';
import type { Virtual } from '../virtual.js';

/** By name of the component. */
export type ComponentChecks = Readonly<Record<string, () => Health>>;

const warning = 'v1 ComponentStatus is deprecated in v1.19+';

export function componentStatusesOf(checks: ComponentChecks): Virtual {
  const statusOf = (name: string, check: () => Health): ComponentStatus => {
    const { ok, reason } = check();
    const result = ok ? { status: 'True', message: 'ok' } : { status: 'False', error: reason };
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
      return Object.entries(checks).map(([name, check]) => statusOf(name, check));
    },
  };
}
