/**
 * A real registry (Debian's docker-registry) as a process of its own on a free port, with or without a login and TLS;
 * for tests of pulls. Imported by tests only.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { freePort } from '../../src/testing/port.js';
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
  const host = `${address}:${await freePort(address)}`;
  await writeFile(join(dir, 'htpasswd'), htpasswd);
  if (tls) {
    await writeFile(join(dir, 'key'), tls.key, { mode: 0o600 });
    await writeFile(join(dir, 'cert'), tls.cert);
  }
  const config = {
    version: 0.1,
    log: { level: 'error', accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: join(dir, 'data') } },
    http: {
      addr: host,
      secret: 'test',
      ...(tls && { tls: { certificate: join(dir, 'cert'), key: join(dir, 'key') } }),
    },
    ...(login && { auth: { htpasswd: { realm: 'test', path: join(dir, 'htpasswd') } } }),
  };
  await writeFile(join(dir, 'config.yml'), stringify(config));
  const child = spawn('docker-registry', ['serve', join(dir, 'config.yml')], { stdio: 'ignore' });
  await Promise.race([listening(host, child), failure(child)]);
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

async function failure(child: ChildProcess): Promise<never> {
  const [code] = await once(child, 'exit');
  throw new Error(`the registry ended with ${code}`);
}

async function listening(host: string, child: ChildProcess): Promise<void> {
  const [address, port] = host.split(':');
  while (child.exitCode === null) {
    const isUp = await new Promise<boolean>((resolve) => {
      const socket = connect({ host: address ?? '', port: Number(port) });
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
      socket.once('close', () => socket.destroy()).once('connect', () => socket.end());
    });
    if (isUp) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
