/**
 * Makes what pulls images out of the agent's flags and surroundings. Called by `agent/main.ts`.
 */

import { join } from 'node:path';
import { secrets } from '../../src/api/kinds.js';
import type { Secret } from '../../src/api/types.js';
import type { Client } from '../../src/client/client.js';
import type { EventRecorder } from '../../src/client/events.js';
import { ifFound } from '../../src/client/found.js';
import type { Clock } from '../../src/host/clock.js';
import { run } from '../../src/host/exec.js';
import type { Logger } from '../../src/host/log.js';
import { containerField } from '../pods/names.js';
import type { Runtime } from '../runtime/runtime.js';
import type { ImageFlags } from './flags.js';
import { createKeyring } from './keyring.js';
import { createImageManager, type ImageManager } from './manager.js';
import { readProviderConfig } from './providerconfig.js';
import { type CredentialProviders, createCredentialProviders } from './providers.js';

export interface ImagesOptions {
  flags: ImageFlags;
  runtime: Runtime;
  client: Client;
  recorder: EventRecorder;
  /** `<data-dir>/agent`: its `config.json`, if there is one, holds logins for all pods. */
  directory: string;
  clock: Clock;
  log: Logger;
}

/** Rejects when the configuration of credential providers cannot be used. */
export async function createImages(options: ImagesOptions): Promise<ImageManager> {
  const { client, recorder, runtime, clock, log } = options;
  return createImageManager({
    runtime,
    clock,
    maxParallelPulls: options.flags.maxParallelImagePulls,
    keyring: createKeyring({
      secret: (namespace, name) => secretOf(client, namespace, name),
      providers: await openProviders(options),
      configFile: join(options.directory, 'config.json'),
      log,
    }),
    record: (pod, type, reason, message, container) =>
      recorder.event(pod, type, reason, message, containerField(pod, container, '').slice(0, -1)),
  });
}

async function openProviders({ flags, clock, log }: ImagesOptions): Promise<CredentialProviders | undefined> {
  if (!flags.credentialProviders) return undefined;
  const { config, binDirectory } = flags.credentialProviders;
  const providers = await readProviderConfig(config);
  return createCredentialProviders({ providers, binDirectory, exec: run, clock, log });
}

const secretOf = (client: Client, namespace: string, name: string): Promise<Secret | undefined> =>
  ifFound(client.get(secrets, { namespace, name }));
