/**
 * The inside of the master: lock, store, registry, keys, and the objects every cluster has. First of the three steps of
 * `main.ts`; nobody outside the process can reach anything of it yet.
 */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import type { Client } from '../src/client/client.js';
import type { Clock } from '../src/host/clock.js';
import type { Component } from '../src/host/component.js';
import { createLock, ensurePrivateDirectory } from '../src/host/files.js';
import type { Logger } from '../src/host/log.js';
import { type AdmissionSlot, createAdmissionSlot } from './admission/slot.js';
import { writeAdminKubeconfig } from './auth/kubeconfig.js';
import type { Pki } from './auth/pki.js';
import { type ApiAddress, ensureBootstrap } from './bootstrap.js';
import { type LivePki, openPki } from './certificates/live.js';
import { findAdvertised } from './certificates/names.js';
import type { MasterOptions } from './options.js';
import { createRegistryClient } from './registry/client.js';
import { createRegistry, stamp } from './registry/generic.js';
import { createServiceAllocator } from './registry/kinds/serviceallocator.js';
import type { Registry, User } from './registry/registry.js';
import type { Action, Virtual } from './registry/virtual.js';
import { createResources } from './resources/table.js';
import { type Encryption, openEncryption } from './store/encryption/encryption.js';
import { FileStore } from './store/file.js';
import type { Store } from './store/store.js';

export interface MasterDeps {
  clock: Clock;
  log: Logger;
}

/** Starts a part and remembers to stop it. */
export type Run = (component: Component) => Promise<void>;

export interface Core extends MasterDeps {
  options: MasterOptions;
  store: Store & Component;
  encryption: Encryption;
  registry: Registry;
  /** In process, as the master itself. */
  client: Client;
  /** Live: read its fields when they are needed. */
  pki: Pki;
  certificates: LivePki;
  /** What later steps fill in. */
  admission: AdmissionSlot;
  virtuals: Map<string, Virtual>;
  actions: Map<string, Action>;
  /** Its address follows that of the host. */
  api: ApiAddress;
  /** host:port that clients are told to use. */
  address: string;
}

/** The master's own parts: they are trusted, and do not go through the authorizer. */
export const self: User = { name: 'system:wherry-master', groups: ['system:masters'] };

/** Each part runs before the next one starts. */
export async function startCore(options: MasterOptions, deps: MasterDeps, run: Run): Promise<Core> {
  const { clock, log } = deps;
  const directory = join(options.dataDir, 'master');
  await ensurePrivateDirectory(directory);
  await run(createLock(join(directory, 'lock')));
  const api = {
    address: await findAdvertised(options),
    port: options.securePort,
    serviceCidr: options.serviceCidr,
  };
  const certificates = await openPki({ directory, options, api, clock, log });
  const { pki } = certificates;
  const encryption = await openEncryption({ directory, ...options.encryption, clock, log });
  const { cipher } = encryption;
  const store = new FileStore({ directory: join(directory, 'store'), stamp, clock, log, cipher });
  await encryption.opening(join(directory, 'store'), () => run(store));
  await run(encryption.follow(store));
  const late = {
    virtuals: new Map<string, Virtual>(),
    actions: new Map<string, Action>(),
    admission: createAdmissionSlot(),
  };
  const registry = createRegistry({
    ...{ ...late, store, clock, log, newUid: randomUUID },
    resources: createResources(),
    allocators: new Map([['services.', createServiceAllocator(options)]]),
  });
  await run(registry);
  const client = createRegistryClient(registry, self);
  await ensureBootstrap(client, api, new AbortController().signal);
  const address = addressOf(api);
  await writeAdminKubeconfig(options.adminKubeconfig, `https://${address}`, pki);
  return {
    ...{ options, clock, log, store, encryption, registry, client, pki, certificates, api, address },
    ...late,
  };
}

/** host:port */
export const addressOf = ({ address, port }: ApiAddress): string => `${urlHost(address)}:${port}`;

export const urlHost = (ip: string): string => (ip.includes(':') ? `[${ip}]` : ip);
