/** The cgroups of lab hosts, on v1 and v2: who lives in them, and their removal when nobody does. */
import { existsSync, readdirSync, readFileSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';

const top = '/sys/fs/cgroup';

function hierarchies(): string[] {
  if (existsSync(join(top, 'cgroup.controllers'))) return [top];
  return readdirSync(top, { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? [join(top, entry.name)] : [],
  );
}

/** The directory and all below it, deepest first. */
function tree(dir: string): string[] {
  if (!existsSync(dir)) return [];
  const below = readdirSync(dir, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return [...below.flatMap((entry) => tree(join(dir, entry.name))), dir];
}

const dirsOf = (path: string): string[] => hierarchies().flatMap((hierarchy) => tree(join(hierarchy, path)));

export function pidsIn(path: string): number[] {
  const pids = dirsOf(path).flatMap((dir) =>
    readFileSync(join(dir, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean),
  );
  return [...new Set(pids.map(Number))];
}

export function removeCgroup(path: string): void {
  for (const dir of dirsOf(path)) rmdirSync(dir);
}
