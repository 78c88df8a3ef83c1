/** Gives every lab host the images of the examples: made (or copied from this machine's Docker) once, then handed on. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import Docker from 'dockerode';
import { systemClock } from '../src/host/clock.js';
import { runChecked } from '../src/host/exec.js';

const names = ['nginx', 'busybox'] as const;
const script = fileURLToPath(new URL('../../scripts/images.mjs', import.meta.url));

/** Resolves when the daemon answers; rejects after half a minute. */
export async function waitForDocker(socket: string): Promise<void> {
  const deadline = systemClock.monotonicMs() + 30_000;
  for (;;) {
    try {
      if (existsSync(socket)) {
        await new Docker({ socketPath: socket }).ping();
        return;
      }
    } catch (error) {
      if (systemClock.monotonicMs() > deadline) throw error;
    }
    if (systemClock.monotonicMs() > deadline) throw new Error(`no Docker daemon behind ${socket} after 30 s`);
    await systemClock.sleep(100, new AbortController().signal);
  }
}

async function has(socket: string, name: string): Promise<boolean> {
  const images = await new Docker({ socketPath: socket }).listImages({
    filters: { reference: [`${name}:latest`] },
  });
  return images.length > 0;
}

export async function shareImages(sockets: readonly string[]): Promise<void> {
  for (const name of names) {
    const lacking = [];
    for (const socket of sockets) if (!(await has(socket, name))) lacking.push(socket);
    if (lacking.length === 0) continue;
    const source = await findSource(sockets, name);
    for (const socket of lacking) if (socket !== source) await copy(name, source, socket);
  }
}

async function findSource(sockets: readonly string[], name: string): Promise<string> {
  const [first = ''] = sockets;
  const own = '/var/run/docker.sock';
  for (const socket of [...sockets, ...(existsSync(own) ? [own] : [])]) {
    if (await has(socket, name).catch(() => false)) return socket;
  }
  await runChecked(process.execPath, [script, name, '--host', `unix://${first}`], { timeoutMs: 600_000 });
  return first;
}

async function copy(name: string, from: string, to: string): Promise<void> {
  const archive = await new Docker({ socketPath: from }).getImage(`${name}:latest`).get();
  const target = new Docker({ socketPath: to });
  const answer = await target.loadImage(archive);
  await new Promise<void>((resolve, reject) =>
    target.modem.followProgress(answer, (error) => (error ? reject(error) : resolve())),
  );
}
