/**
 * The administrator's kubeconfig (`/etc/wherry/admin.kubeconfig`, 0600): client certificate and bearer token. Called by
 * the master at start. A file that says the same already is not written again.
 */
import { dirname } from 'node:path';
import { buildKubeconfig } from '../../src/client/kubeconfig.js';
import { ensureDirectory, readIfExists, writeAtomic } from '../../src/host/files.js';
import type { Pki } from './pki.js';

/** `server` is `https://host:port`, as the administrator reaches it. */
export async function writeAdminKubeconfig(path: string, server: string, pki: Pki): Promise<void> {
  const { cert, key } = pki.admin;
  const text = buildKubeconfig(
    { server, ca: pki.ca, cert, key, token: pki.adminToken },
    { cluster: 'wherry', user: 'kubernetes-admin' },
  );
  if ((await readIfExists(path))?.toString() === text) return;
  await ensureDirectory(dirname(path), 0o755);
  await writeAtomic(path, text, 0o600);
}
