/**
 * Links to the logs of containers where collectors of logs (fluent-bit, promtail...) look for them on every node:
 *
 *   <log-dir>/pods/<namespace>_<pod>_<uid>/<container>/<attempt>.log  -> what the runtime writes (or that file itself)
 *   <log-dir>/containers/<pod>_<namespace>_<container>-<id>.log       -> the former
 *
 * Called by `agent/pods` whenever the runtime was asked about a pod, and when a pod is gone. A runtime that writes below
 * `pods` itself gets the second kind only. Nothing depends on these links: a failure is logged and tried again at the
 * next look. Several agents may share the directory: each removes what is of its own pods, or leads nowhere any more.
 */
import { lstat, mkdir, readdir, readlink, rm, rmdir, stat, symlink } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { Pod } from '../../src/api/types.js';
import { hasCode } from '../../src/host/files.js';
import type { Logger } from '../../src/host/log.js';
import { attemptOf, containerNameOf, podName, podNamespace, podUid } from '../pods/names.js';
import type { ContainerState } from '../runtime/runtime.js';

export interface LogLinks {
  /** Makes links for these containers and removes those of the pod's other ones. Cheap when nothing changed. */
  sync(pod: Pod, states: Iterable<ContainerState>): Promise<void>;
  /** Removes everything of the pod. Idempotent. */
  remove(uid: string): Promise<void>;
  /** Removes what leads nowhere any more: a crash may leave such links. */
  sweep(): Promise<void>;
}

export interface LogLinksOptions {
  /** `/var/log`. */
  directory: string;
  log: Logger;
}

/** The longest name of a file. */
const maxNameLength = 255;

/** By path, what it leads to. */
type Links = ReadonlyMap<string, string>;

/** What was made for one pod. */
interface Known {
  /** Its own one below `pods`. */
  directory: string;
  links: Links;
}

export function createLogLinks(options: LogLinksOptions): LogLinks {
  const log = options.log.child({ component: 'log-links' });
  const pods = join(options.directory, 'pods');
  const containers = join(options.directory, 'containers');
  /** By uid. */
  const known = new Map<string, Known>();

  function wantedFor(pod: Pod, states: Iterable<ContainerState>): Links {
    const links = new Map<string, string>();
    for (const state of states) {
      const { id, logPath } = state;
      if (logPath === undefined) continue;
      const name = containerNameOf(state);
      const own = join(pods, podDirectoryName(pod), name, `${attemptOf(state)}.log`);
      const isOwn = logPath.startsWith(`${pods}/`);
      if (!isOwn) links.set(own, logPath);
      links.set(join(containers, linkName(podName(pod), podNamespace(pod), name, id)), isOwn ? logPath : own);
    }
    return links;
  }

  async function removeKnown({ directory, links }: Known): Promise<void> {
    for (const path of links.keys()) await rm(path, { force: true });
    await rm(directory, { recursive: true, force: true });
  }

  /** Of a pod that an earlier life of the agent knew: every link is read. */
  async function removeUnknown(uid: string): Promise<void> {
    const found = (await entries(pods)).filter((name) => name.endsWith(`_${uid}`));
    for (const name of found) {
      const directory = join(pods, name);
      for (const link of await entries(containers)) {
        const path = join(containers, link);
        if ((await targetOf(path))?.startsWith(`${directory}/`)) await rm(path, { force: true });
      }
      await rm(directory, { recursive: true, force: true });
    }
  }

  async function attempt(podUid: string, work: () => Promise<void>): Promise<boolean> {
    try {
      await work();
      return true;
    } catch (error) {
      log.warn({ err: error, podUid }, 'cannot keep the links to the logs of a pod');
      return false;
    }
  }

  return {
    async sync(pod, states) {
      const uid = podUid(pod);
      const before = known.get(uid)?.links ?? new Map<string, string>();
      const wanted = wantedFor(pod, states);
      const missing = [...wanted].filter(([path, target]) => before.get(path) !== target);
      const gone = [...before.keys()].filter((path) => !wanted.has(path));
      if (missing.length === 0 && gone.length === 0) return;
      const isDone = await attempt(uid, async () => {
        for (const path of gone) await rm(path, { force: true });
        for (const [path, target] of missing) await link(path, target);
      });
      if (isDone) known.set(uid, { directory: join(pods, podDirectoryName(pod)), links: wanted });
    },
    async remove(uid) {
      const own = known.get(uid);
      known.delete(uid);
      if (uid !== '') await attempt(uid, () => (own ? removeKnown(own) : removeUnknown(uid)));
    },
    async sweep() {
      await attempt('', async () => {
        for (const name of await entries(pods)) await removeDead(join(pods, name), 2);
        for (const name of await entries(containers)) await removeDead(join(containers, name), 0);
      });
    },
  };
}

/** Takes the links of all pods of this agent off the host, and the directories when nobody else uses them. */
export async function removeLogLinks(options: LogLinksOptions & { podsDirectory: string }): Promise<void> {
  const links = createLogLinks(options);
  for (const uid of await entries(options.podsDirectory)) await links.remove(uid);
  await links.sweep();
  for (const name of ['pods', 'containers'])
    await rmdir(join(options.directory, name)).catch(
      unless('ENOENT', 'ENOTEMPTY', 'EEXIST', 'EBUSY', 'ENOTDIR'),
    );
}

const podDirectoryName = (pod: Pod): string => `${podNamespace(pod)}_${podName(pod)}_${podUid(pod)}`;

function linkName(pod: string, namespace: string, container: string, id: string): string {
  const suffix = '.log';
  return `${pod}_${namespace}_${container}-${id}`.slice(0, maxNameLength - suffix.length) + suffix;
}

async function link(path: string, target: string): Promise<void> {
  if ((await targetOf(path)) === target) return;
  await mkdir(dirname(path), { recursive: true, mode: 0o755 });
  // Names hold attempts and ids: what is there already is left from another life of the pod or the runtime.
  await rm(path, { force: true });
  await symlink(target, path);
}

/** Removes links that lead nowhere, and the directories that held nothing else, down to this depth. */
async function removeDead(path: string, depth: number): Promise<void> {
  const stats = await lstat(path).catch(unless('ENOENT'));
  if (stats?.isSymbolicLink()) {
    if (!(await leadsSomewhere(path))) await rm(path, { force: true });
    return;
  }
  if (!stats?.isDirectory() || depth === 0) return;
  const names = await entries(path);
  // An empty one may be somebody else's who is about to write.
  if (names.length === 0) return;
  for (const name of names) await removeDead(join(path, name), depth - 1);
  await rmdir(path).catch(unless('ENOTEMPTY', 'EEXIST', 'ENOENT'));
}

const leadsSomewhere = async (path: string): Promise<boolean> =>
  (await stat(path).catch(unless('ENOENT', 'ENOTDIR'))) !== undefined;

const entries = async (path: string): Promise<string[]> =>
  (await readdir(path).catch(unless('ENOENT', 'ENOTDIR'))) ?? [];

async function targetOf(path: string): Promise<string | undefined> {
  const target = await readlink(path).catch(unless('ENOENT', 'EINVAL'));
  return target === undefined ? undefined : resolve(dirname(path), target);
}

const unless =
  (...codes: string[]) =>
  (error: unknown): undefined => {
    if (!hasCode(error, ...codes)) throw error;
  };
