/**
 * Files of environment variables (`fileKeyRef`): an init container writes one into a volume, later containers get their
 * variables from it. Reading goes through `openSubPath`, so a link in the volume leads nowhere else.
 *
 *   # a comment
 *   NAME='value, which may go over
 *   several lines'   # and a comment behind it
 */
import { constants } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { ifExists } from '../../src/host/files.js';
import { openSubPath } from '../volumes/subpath.js';

/** A variable has to fit into the arguments of a process, so no sensible file is longer. */
const maxFileBytes = 1024 * 1024;

/** The value of a key; undefined when it is not there. Throws with the line that is no assignment. */
export function parseEnvFile(text: string, wanted: string): string | undefined {
  const line =
    /[ \t]*(?:#[^\n]*|([^\s=#'][^\s=]*)=(?:('[^']*')[ \t]*(?:#[^\n]*)?|[ \t][^\n]*)?|)(?:\r?\n|$)/y;
  let found: string | undefined;
  for (let at = 0; at < text.length; ) {
    line.lastIndex = at;
    const match = line.exec(text);
    if (!match)
      throw new Error(`invalid environment variable format at line ${text.slice(0, at).split('\n').length}`);
    const [all, name, quoted = "''"] = match;
    if (name === wanted) found = quoted.slice(1, -1);
    at += Math.max(all.length, 1);
  }
  return found;
}

/** undefined: no such file. Throws for what is no file, too long, or leads out of the volume. */
export async function readEnvFile(volume: string, path: string): Promise<string | undefined> {
  if (!(await ifExists(stat(join(volume, path))))) return undefined;
  const handle = await openSubPath(volume, path);
  try {
    if (!(await handle.stat()).isFile()) throw new Error(`${path} is no file`);
    // The checked descriptor names the file; only this one can be read.
    const reader = await open(`/proc/self/fd/${handle.fd}`, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const { size } = await reader.stat();
      if (size > maxFileBytes) throw new Error(`${path} is longer than ${maxFileBytes} bytes`);
      return await reader.readFile('utf8');
    } finally {
      await reader.close();
    }
  } finally {
    await handle.close();
  }
}
