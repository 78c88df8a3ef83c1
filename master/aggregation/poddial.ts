/** 1. The way from the master to a pod that serves webhooks or an aggregated API: through the agent of its node. */
import type { Backends } from '../http/backends.js';
import type { RequestContext, User } from '../registry/registry.js';
import type { Dial } from './pool.js';

export function createPodDial(backends: Backends, user: User): Dial {
  const context: RequestContext = {
    user,
    signal: new AbortController().signal,
    dryRun: false,
    fieldValidation: 'Ignore',
    fieldManager: user.name,
    warn: () => undefined,
  };
  return (address) => backends.dial({ scheme: 'http', ...address }, context);
}
