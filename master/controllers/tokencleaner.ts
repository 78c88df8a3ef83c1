/**
 * 5. Bootstrap tokens end at their time: the Secret of one that expired is deleted. An expired token is refused in any
 * case; this keeps its secret from lying about.
 */
import { isReason } from '../../src/api/errors.js';
import { secrets } from '../../src/api/kinds.js';
import { type Controller, createController, on } from '../../src/client/controller.js';
import type { ReconcileResult } from '../../src/client/reconciler.js';
import { expiresAtMs } from '../auth/authn/bootstraptoken.js';
import { bootstrapNamespace, bootstrapSecretType } from '../auth/token.js';
import type { ControllerContext } from './context.js';

/** Wall time may jump: it is looked at again at least so often. */
const longestWaitMs = 3_600_000;

export function createTokenCleaner({ client, clock, log, informers }: ControllerContext): Controller {
  const cache = informers.get(secrets, {
    namespace: bootstrapNamespace,
    fieldSelector: `type=${bootstrapSecretType}`,
  });

  async function reconcile(key: string): Promise<ReconcileResult> {
    const secret = cache.getByKey(key);
    if (!secret || secret.metadata.deletionTimestamp) return undefined;
    const leftMs = expiresAtMs(secret) - clock.now().getTime();
    if (leftMs === Number.POSITIVE_INFINITY) return undefined;
    if (leftMs > 0) return { requeueAfterMs: Math.min(leftMs, longestWaitMs) };
    const { name = '', uid = '' } = secret.metadata;
    try {
      await client.delete(secrets, { namespace: bootstrapNamespace, name }, { preconditions: { uid } });
    } catch (error) {
      if (!isReason(error, 'NotFound', 'Conflict')) throw error;
    }
    return undefined;
  }

  return createController({
    name: 'token-cleaner',
    reconciler: { reconcile },
    sources: [on(cache)],
    clock,
    log,
  });
}
