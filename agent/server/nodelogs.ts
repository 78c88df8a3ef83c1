/**
 * `/logs/`: files and directories of the node's log directory, as kubelet's file server shows them. Called by server.ts.
 *
 * Invariant: nothing outside of the directory is ever read: what a symbolic link leads to counts, and what is opened is
 * the file that was judged. Only regular files and directories are shown.
 */
import { constants } from 'node:fs';
import { open, readdir, realpath } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { resolve, sep } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { ApiError } from '../../src/api/errors.js';
import { hasCode } from '../../src/host/files.js';
import { noSuchPath } from './routes.js';

/** `path` relative to `directory`. Throws 404 for what is not there and 403 for what leads outside. */
export async function sendNodeLog(directory: string, path: string, response: ServerResponse): Promise<void> {
  if (path.includes('\0')) throw noSuchPath();
  const file = await openBelow(directory, path);
  try {
    const stat = await file.handle.stat();
    if (stat.isDirectory()) {
      const page = await listing(file.path);
      response.writeHead(200, {
        'content-type': 'text/html; charset=utf-8',
        'content-length': Buffer.byteLength(page),
      });
      response.end(page);
      return;
    }
    if (!stat.isFile()) throw noSuchPath();
    response.writeHead(200, { 'content-type': 'text/plain; charset=utf-8', 'content-length': stat.size });
    if (stat.size === 0) response.end();
    // A log that grows meanwhile: as much as was promised.
    else await pipeline(file.handle.createReadStream({ end: stat.size - 1, autoClose: false }), response);
  } finally {
    await file.handle.close();
  }
}

async function openBelow(directory: string, path: string) {
  try {
    const root = await realpath(directory);
    const real = await realpath(resolve(root, `./${path}`));
    if (!isBelow(root, real)) throw new ApiError('Forbidden', 'this leads out of the log directory');
    const handle = await open(real, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    // A directory on the way may have been swapped for a link since.
    const opened = await realpath(`/proc/self/fd/${handle.fd}`);
    if (isBelow(root, opened)) return { handle, path: opened };
    await handle.close();
    throw noSuchPath();
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR', 'ELOOP', 'ENXIO', 'ENAMETOOLONG')) throw noSuchPath();
    throw error;
  }
}

const isBelow = (root: string, path: string): boolean => path === root || path.startsWith(root + sep);

async function listing(directory: string): Promise<string> {
  const entries = await readdir(directory, { withFileTypes: true });
  const rows = entries
    .map((entry) => `${entry.name}${entry.isDirectory() ? '/' : ''}`)
    .toSorted()
    .map((name) => `<a href="./${encodeURIComponent(name).replace(/%2F$/, '/')}">${inHtml(name)}</a>`);
  return `<!doctype html>\n<pre>\n${rows.join('\n')}\n</pre>\n`;
}

const inHtml = (text: string): string =>
  text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
