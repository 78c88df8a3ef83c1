/**
 * 5. The ConfigMap `extension-apiserver-authentication` in kube-system: how aggregated API servers know that a request
 * comes from this one, and whose certificates users show. Kept as it should be by a small controller.
 */
import { isReason } from '../../src/api/errors.js';
import { configMaps } from '../../src/api/kinds.js';
import type { ConfigMap } from '../../src/api/types.js';
import type { Client } from '../../src/client/client.js';
import { type Controller, createController, on } from '../../src/client/controller.js';
import type { Informers } from '../../src/client/informers.js';
import type { Clock } from '../../src/host/clock.js';
import type { Logger } from '../../src/host/log.js';
import { isSameJson } from '../registry/codec.js';

const ref = { namespace: 'kube-system', name: 'extension-apiserver-authentication' };

export interface AuthConfig {
  /** PEM: who signs the certificates of users, and that of the front proxy. */
  clientCa: string;
  frontProxyCa: string;
  /** Common names of the front proxy's certificate. */
  allowedNames: readonly string[];
}

export const authConfigData = ({
  clientCa,
  frontProxyCa,
  allowedNames,
}: AuthConfig): Record<string, string> => ({
  'client-ca-file': clientCa,
  'requestheader-allowed-names': JSON.stringify(allowedNames),
  'requestheader-client-ca-file': frontProxyCa,
  'requestheader-extra-headers-prefix': JSON.stringify(['X-Remote-Extra-']),
  'requestheader-group-headers': JSON.stringify(['X-Remote-Group']),
  'requestheader-uid-headers': JSON.stringify(['X-Remote-Uid']),
  'requestheader-username-headers': JSON.stringify(['X-Remote-User']),
});

export function createAuthConfigController(options: {
  client: Client;
  informers: Informers;
  config(): AuthConfig;
  /** Told when it says something else. */
  onConfigChange?: ((listener: () => void) => () => void) | undefined;
  clock: Clock;
  log: Logger;
}): Controller {
  const { client, informers, clock, log } = options;
  const cache = informers.get(configMaps, {
    namespace: ref.namespace,
    fieldSelector: `metadata.name=${ref.name}`,
  });
  const key = `${ref.namespace}/${ref.name}`;
  return createController({
    name: 'extension-apiserver-authentication',
    clock,
    log,
    sources: [
      on(cache),
      {
        whenSynced: () => Promise.resolve(),
        subscribe: (enqueue) => {
          enqueue(key);
          return options.onConfigChange?.(() => enqueue(key)) ?? (() => undefined);
        },
      },
    ],
    reconciler: {
      async reconcile() {
        const data = authConfigData(options.config());
        const found = cache.get(ref);
        if (isSameJson(found?.data, data)) return;
        await write(client, found, data);
      },
    },
  });
}

async function write(
  client: Client,
  found: ConfigMap | undefined,
  data: Record<string, string>,
): Promise<void> {
  if (found) {
    await client.update(configMaps, { ...found, data });
    return;
  }
  try {
    await client.create(configMaps, { metadata: ref, data });
  } catch (error) {
    if (!isReason(error, 'AlreadyExists')) throw error;
  }
}
