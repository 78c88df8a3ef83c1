/**
 * The runtime that a pod asks for by `runtimeClassName`. A RuntimeClass is read from the API when a pod that names one
 * starts: few pods do, and their classes hardly ever change.
 */
import { isReason } from '../../src/api/errors.js';
import { runtimeClasses } from '../../src/api/kinds.js';
import type { Pod } from '../../src/api/types.js';
import type { Client } from '../../src/client/client.js';
import type { RuntimeFeatures } from '../runtime/runtime.js';
import { ConfigError } from './needs.js';

/** undefined: the runtime's default. Throws `ConfigError` for a class or a handler that is not there. */
export async function runtimeHandlerOf(
  pod: Pod,
  client: Client,
  { runtimeHandlers }: RuntimeFeatures,
): Promise<string | undefined> {
  const name = pod.spec?.runtimeClassName;
  if (!name) return undefined;
  const { handler } = await client.get(runtimeClasses, { name }).catch((error: unknown) => {
    if (isReason(error, 'NotFound'))
      throw new ConfigError(`spec.runtimeClassName: RuntimeClass ${JSON.stringify(name)} not found`, {
        cause: error,
      });
    throw error;
  });
  if (runtimeHandlers.includes(handler)) return handler;
  const known = runtimeHandlers.length > 0 ? runtimeHandlers.join(', ') : 'none';
  throw new ConfigError(
    `spec.runtimeClassName: no runtime for ${JSON.stringify(handler)} is configured (RuntimeClass ${JSON.stringify(name)}; this node has: ${known})`,
  );
}
