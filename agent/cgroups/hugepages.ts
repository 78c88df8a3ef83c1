/**
 * Huge pages of the host, under both of their names: `hugepages-2Mi` in the API, `2MB` in the kernel's cgroup files.
 * Read by the node's capacity and by the cgroup manager, once at the start.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fromBytes, toBytes } from '../../src/api/quantity.js';
import { namesIn } from '../../src/host/files.js';

export interface HugePages {
  pageBytes: number;
  /** How many the kernel has set aside. */
  count: number;
}

export const hugePagePrefix = 'hugepages-';

/** `hugepages-2Mi` */
export const hugePageResource = (pageBytes: number): string => `${hugePagePrefix}${fromBytes(pageBytes)}`;

/** Bytes of a page of `hugepages-2Mi`. */
export const pageBytesOf = (resource: string): number => toBytes(resource.slice(hugePagePrefix.length));

/** `2MB`, `1GB`, `64KB`: as in `hugetlb.2MB.max`. */
export function kernelPageSize(pageBytes: number): string {
  const units = ['KB', 'MB', 'GB'];
  let size = pageBytes / 1024;
  while (size >= 1024 && units.length > 1) {
    size /= 1024;
    units.shift();
  }
  return `${size}${units[0]}`;
}

/** The smallest pages first; empty where the kernel has none. `root` is `/` but in tests. */
export async function readHugePages(root = '/'): Promise<HugePages[]> {
  const directory = join(root, 'sys/kernel/mm/hugepages');
  const found = await Promise.all(
    (await namesIn(directory)).map(async (name) => {
      const kibibytes = Number(/^hugepages-(\d+)kB$/.exec(name)?.[1] ?? 0);
      if (kibibytes === 0) return [];
      const count = Number((await readFile(join(directory, name, 'nr_hugepages'), 'utf8')).trim());
      return [{ pageBytes: kibibytes * 1024, count }];
    }),
  );
  return found.flat().sort((a, b) => a.pageBytes - b.pageBytes);
}
