/**
 * A registry with some of the built-in plugins in front of it, for their tests. What the plugins follow is in step when
 * it is handed out. Imported by tests only.
 */
import type { Client } from '../../../src/client/client.js';
import { createInformers } from '../../../src/client/informers.js';
import { silentLogger } from '../../../src/host/log.js';
import { createFakeClock, type FakeClock } from '../../../src/testing/clock.js';
import type { Authorizer } from '../../auth/auth.js';
import { type MasterOptions, parseMasterOptions } from '../../options.js';
import type { Admission } from '../../registry/admission.js';
import { createRegistryClient } from '../../registry/client.js';
import type { User } from '../../registry/registry.js';
import { createTestRegistry, type TestRegistry } from '../../registry/testing.js';
import type { PluginDeps } from '../plugin.js';
import { inSequence } from '../sequence.js';
import { createAdmissionSlot } from '../slot.js';

export interface PluginBed extends TestRegistry {
  clock: FakeClock;
  /** As the administrator. */
  client: Client;
  clientOf(user: User): Client;
  close(): Promise<void>;
}

export interface PluginBedOptions {
  /** What is in the store before the plugins start. */
  before?(client: Client): Promise<unknown>;
  authorizer?: Authorizer;
  options?: Partial<MasterOptions>;
}

const anybody: Authorizer = { authorize: () => ({ allowed: true, reason: '' }) } as unknown as Authorizer;

/** Close it when the test ends. */
export async function createPluginBed(
  plugins: readonly ((deps: PluginDeps) => Admission)[],
  more: PluginBedOptions = {},
): Promise<PluginBed> {
  const clock = createFakeClock();
  const slot = createAdmissionSlot();
  const made = await createTestRegistry({ clock, admission: slot });
  const clientOf = (user: User): Client => createRegistryClient(made.registry, user);
  const client = clientOf({ name: 'admin', groups: ['system:masters'] });
  await more.before?.(client);
  const informers = createInformers({ client, clock, log: silentLogger });
  const deps: PluginDeps = {
    ...{ client, informers, clock, log: silentLogger, resources: made.registry.resources },
    authorizer: more.authorizer ?? anybody,
    options: { ...parseMasterOptions({}), ...more.options },
  };
  slot.use(inSequence(plugins.map((create) => create(deps))));
  const { signal } = new AbortController();
  await informers.start(signal);
  await informers.whenSynced(signal);
  return { ...made, clock, client, clientOf, close: () => informers.stop() };
}

/** Lets what is under way in the process happen, until `isSeen`. */
export async function settle(isSeen: () => boolean): Promise<void> {
  for (let turn = 0; turn < 1000 && !isSeen(); turn += 1)
    await new Promise((resolve) => setImmediate(resolve));
}
