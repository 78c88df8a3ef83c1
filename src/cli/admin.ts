/** An administrator's client out of a kubeconfig file, for commands that talk to a running master. */
import { existsSync } from 'node:fs';
import { loadKubeconfig } from '../client/kubeconfig.js';
import { createRestClient } from '../client/rest.js';
import { checkPrivate, checkUnread } from '../host/private.js';

export interface Admin {
  client: ReturnType<typeof createRestClient>;
  /** `https://host:port` as the kubeconfig names it. */
  server: string;
  /** The cluster's CA certificate. */
  caPem: string;
}

/** Rejects with what to do about it when there is no usable kubeconfig. */
export async function openAdmin(kubeconfig: string): Promise<Admin> {
  if (!existsSync(kubeconfig))
    throw new Error(
      `${kubeconfig} does not exist: start the master first, or name another with --kubeconfig`,
    );
  // Root uses that of the master's user.
  if (process.geteuid?.() === 0) checkUnread(kubeconfig);
  else checkPrivate(kubeconfig);
  const access = await loadKubeconfig(kubeconfig);
  if (!access.ca) throw new Error(`${kubeconfig} holds no certificate authority`);
  return { client: createRestClient(access), server: access.server, caPem: access.ca };
}
