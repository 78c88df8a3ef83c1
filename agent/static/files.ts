/**
 * Reads the manifests of static pods from a directory or a single file, at the start, when something there changes, and
 * every 20 s for what a watch may miss. Started by `agent/main.ts` when `--pod-manifest-path` is given.
 *
 * A file that cannot be read or parsed keeps the pods it had: an editor that writes in two steps ends nothing. A file
 * that is gone ends its pods.
 */
import { type FSWatcher, watch } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Pod } from '../../src/api/types.js';
import type { Clock } from '../../src/host/clock.js';
import { type Component, type Health, healthyNow } from '../../src/host/component.js';
import { hasCode } from '../../src/host/files.js';
import type { Logger } from '../../src/host/log.js';
import { parseManifest } from './manifest.js';
import { problemsOf, toStaticPod } from './staticpod.js';

const rescanMs = 20_000;
/** Files are often written in several steps. */
const settleMs = 200;
/** Larger ones are no manifests. */
const maxFileBytes = 10 * 2 ** 20;

export interface ManifestFilesOptions {
  /** A directory (not what is below it; names that begin with a dot are left out), or one file. */
  path: string;
  nodeName: string;
  clock: Clock;
  log: Logger;
  /** All static pods, whenever they may have changed. */
  onPods(pods: readonly Pod[]): void;
  /** A new problem with a file; it is also logged. */
  onProblem(message: string): void;
}

interface Read {
  text: string;
  seen: Date;
  pods: readonly Pod[];
  problems: readonly string[];
}

export function createManifestFiles(options: ManifestFilesOptions): Component {
  const { path, nodeName, clock, onPods } = options;
  const log = options.log.child({ component: 'static-pods' });
  const read = new Map<string, Read>();
  const told = new Set<string>();
  let watcher: FSWatcher | undefined;
  const nothing = (): void => undefined;
  const planned: Record<'soon' | 'later', () => void> = { soon: nothing, later: nothing };
  let scanning: Promise<void> = Promise.resolve();
  let isStopped = false;

  function tell(problems: ReadonlySet<string>): void {
    for (const problem of problems) {
      if (told.has(problem)) continue;
      log.error({ problem }, 'a manifest of static pods cannot be used');
      options.onProblem(problem);
    }
    told.clear();
    for (const problem of problems) told.add(problem);
  }

  async function readFileOnce(file: string): Promise<void> {
    if ((await stat(file)).size > maxFileBytes) throw new Error(`larger than ${maxFileBytes} bytes`);
    const text = await readFile(file, 'utf8');
    const before = read.get(file);
    if (before?.text === text) return;
    const seen = clock.now();
    const { pods, problems } = parseManifest(text);
    if (text === '') problems.push('it is empty');
    const all = pods.map((pod) => toStaticPod(pod, { nodeName, file, seen }));
    const good = all.filter((pod) => problemsOf(pod).length === 0);
    const refused = all.flatMap((pod) =>
      problemsOf(pod).map((problem) => `pod ${JSON.stringify(pod.metadata.name)}: ${problem}`),
    );
    // Half a file is no reason to end what the whole one asked for.
    const isTorn = before !== undefined && all.length === 0 && problems.length > 0;
    const kept = isTorn ? before.pods : good;
    read.set(file, { text, seen, pods: kept, problems: [...problems, ...refused] });
  }

  async function scan(): Promise<void> {
    const problems = new Set<string>();
    const files = await filesOf(path);
    for (const file of [...read.keys()]) if (!files.includes(file)) read.delete(file);
    for (const file of files) {
      try {
        await readFileOnce(file);
      } catch (error) {
        if (hasCode(error, 'ENOENT')) read.delete(file);
        else problems.add(`${file}: ${error instanceof Error ? error.message : String(error)}`);
      }
      for (const problem of read.get(file)?.problems ?? []) problems.add(`${file}: ${problem}`);
    }
    const byName = new Map<string, Pod>();
    for (const [file, { pods }] of [...read].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
      for (const pod of pods) {
        const key = `${pod.metadata.namespace}/${pod.metadata.name}`;
        if (byName.has(key)) problems.add(`${file}: another manifest has a pod ${key} already`);
        else byName.set(key, pod);
      }
    }
    tell(problems);
    onPods([...byName.values()]);
  }

  function follow(): void {
    if (watcher || isStopped) return;
    try {
      watcher = watch(path, () => plan('soon'));
      watcher.on('error', unfollow);
    } catch (error) {
      log.debug({ err: error }, 'the manifests cannot be watched, they are looked at every 20 s');
    }
  }

  /** The next scan watches again: what is at the path may be another file now. */
  function unfollow(): void {
    watcher?.close();
    watcher = undefined;
  }

  /** Soon after a change, and every now and then; each cancels only its own kind. */
  function plan(when: 'soon' | 'later'): void {
    if (isStopped) return;
    planned[when]();
    planned[when] = clock.after(when === 'soon' ? settleMs : rescanMs, () => {
      unfollow();
      follow();
      scanning = scanning
        .then(scan)
        .catch((error: unknown) =>
          log.error({ err: error, path }, 'cannot read the manifests of static pods'),
        )
        .finally(() => plan('later'));
    });
  }

  return {
    name: 'static-pods',
    async start() {
      follow();
      try {
        await scan();
      } catch (error) {
        log.error({ err: error, path }, 'cannot read the manifests of static pods');
      }
      plan('later');
    },
    async stop() {
      isStopped = true;
      for (const cancel of Object.values(planned)) cancel();
      unfollow();
      await scanning;
    },
    healthy: (): Health => healthyNow,
  };
}

/** Nothing at the path: no static pods. */
async function filesOf(path: string): Promise<string[]> {
  try {
    if (!(await stat(path)).isDirectory()) return [path];
    const entries = await readdir(path, { withFileTypes: true });
    const names = entries.filter((entry) => !entry.isDirectory()).map(({ name }) => name);
    return names
      .filter((name) => !name.startsWith('.'))
      .toSorted()
      .map((name) => join(path, name));
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
    return [];
  }
}
