/** What tests of a whole master begin with. Imported by tests only. */
import { join } from 'node:path';
import { serviceAccounts } from '../src/api/kinds.js';
import type { ObjectRef } from '../src/api/meta.js';
import type { AuthenticationTokenRequest } from '../src/api/types.js';
import type { Client } from '../src/client/client.js';
import { ifFound } from '../src/client/found.js';
import { systemClock } from '../src/host/clock.js';
import type { RawFlags } from '../src/host/config.js';
import { freePort } from '../src/testing/port.js';
import { type MasterOptions, parseMasterOptions } from './options.js';

/** For a master on loopback, with everything it writes in this directory. */
export async function testOptions(directory: string, flags: RawFlags = {}): Promise<MasterOptions> {
  const own = { dataDir: directory, adminKubeconfig: join(directory, 'admin.kubeconfig') };
  const parsed = parseMasterOptions({ ...own, bindAddress: '127.0.0.1', ...flags });
  return { ...parsed, securePort: await freePort() };
}

/** A token of the account, which the controllers make a moment after the start. */
export async function tokenOf(client: Pick<Client, 'post'>, account: ObjectRef): Promise<string> {
  const spec = { expirationSeconds: 3600 };
  for (;;) {
    const made = await ifFound(
      client.post<AuthenticationTokenRequest>(serviceAccounts, account, 'token', { spec }),
    );
    if (made) return made.status?.token ?? '';
    await systemClock.sleep(20, new AbortController().signal);
  }
}
