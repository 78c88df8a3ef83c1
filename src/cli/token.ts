/** `wherry token create`: prints the exact command that joins a further host. */
import { parseDuration } from '../api/duration.js';
import { openAdmin } from './admin.js';

export interface TokenFlags {
  kubeconfig: string;
  server?: string;
  ttl: string;
  tokenOnly?: boolean;
}

export async function createToken(flags: TokenFlags): Promise<void> {
  const ttlMs = parseDuration(flags.ttl);
  if (ttlMs < 1000)
    throw new Error(`--ttl: a token that works for ${flags.ttl} joins nobody; write 30m or 24h`);
  const { client, server, caPem } = await openAdmin(flags.kubeconfig);
  const { createBootstrapToken } = await import('../../master/auth/token.js');
  const token = await createBootstrapToken(client, { ca: caPem, ttlMs });
  process.stdout.write(
    flags.tokenOnly ? `${token}\n` : `wherry agent --server ${flags.server ?? server} --token ${token}\n`,
  );
}
