/**
 * A real registry (Debian's docker-registry) as a process of its own on a free port, with or without a login and TLS;
 * for tests of pulls. Imported by tests only.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { stringify } from 'yaml';
import { halt } from '../runtime/processes.js';

/** The only user, where there is a login. */
export const registryUser = { username: 'me', password: 'secret' };
/** Made with `htpasswd -nbB`. */
const htpasswd = 'me:$2y$05$ByJ/YewUUUkfRrBAX53lmeVqqU9/ZIemW.OIkpen/3PGjcQRKO//q\n';

export interface RealRegistry {
  /** `address:port` */
  host: string;
  /** Stops answering without closing connections, and goes on. */
  freeze(): Promise<void>;
  thaw(): void;
  close(): Promise<void>;
}

export interface RealRegistryOptions {
  address?: string;
  login?: boolean;
  /** PEM. */
  tls?: { key: string; cert: string };
}

export async function startRegistry(options: RealRegistryOptions = {}): Promise<RealRegistry> {
  const { address = '127.0.0.1', login = false, tls } = options;
  const dir = await mkdtemp(join(tmpdir(), 'wherry-registry-'));
  await writeFile(join(dir, 'htpasswd'), htpasswd);
  if (tls) {
    await writeFile(join(dir, 'key'), tls.key, { mode: 0o600 });
    await writeFile(join(dir, 'cert'), tls.cert);
  }
  const config = {
    version: 0.1,
    log: { level: 'info', accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: join(dir, 'data') } },
    http: {
      addr: `${address}:0`,
      secret: 'test',
      ...(tls && { tls: { certificate: join(dir, 'cert'), key: join(dir, 'key') } }),
    },
    ...(login && { auth: { htpasswd: { realm: 'test', path: join(dir, 'htpasswd') } } }),
  };
  await writeFile(join(dir, 'config.yml'), stringify(config));
  const child = spawn('docker-registry', ['serve', join(dir, 'config.yml')], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const host = `${address}:${await portOf(child.stderr)}`;
  return {
    host,
    async freeze() {
      if (child.pid) await halt(child.pid);
    },
    thaw: () => void child.kill('SIGCONT'),
    async close() {
      const exited = once(child, 'exit');
      child.kill('SIGKILL');
      await exited;
      await rm(dir, { recursive: true });
    },
  };
}

/** What it says once it listens; what it says later is thrown away. */
async function portOf(log: Readable): Promise<number> {
  let text = '';
  for await (const chunk of log.iterator({ destroyOnReturn: false })) {
    text += String(chunk);
    const port = /listening on \S*:(\d+)/.exec(text)?.[1];
    if (port === undefined) continue;
    log.resume();
    return Number(port);
  }
  throw new Error(`the registry does not start: ${text}`);
}
