/**
 * 8. Loads dockerode without what a node never uses: the way over ssh (ssh2) and builds over a BuildKit session (gRPC,
 * protobuf). Those two load 100 modules that take 25 MB of every agent. Used by docker-client.ts.
 *
 * They are put into the cache of CommonJS modules as functions that throw, before dockerode asks for them. Where a
 * later dockerode has moved them, they are loaded as usual.
 */
import Module, { createRequire } from 'node:module';
import type Docker from 'dockerode';

const unused = ['docker-modem/lib/ssh', './session'];

export function loadDockerode(): typeof Docker {
  const require = createRequire(import.meta.url);
  const requireOfDockerode = createRequire(require.resolve('dockerode'));
  for (const name of unused) leaveOut(requireOfDockerode, name);
  return require('dockerode') as typeof Docker;
}

function leaveOut(require: NodeJS.Require, name: string): void {
  const file = resolveIfThere(require, name);
  if (file === undefined || require.cache[file]) return;
  const stub = new Module(file);
  stub.exports = () => {
    throw new Error(`${name} of dockerode is not loaded by the agent`);
  };
  stub.loaded = true;
  require.cache[file] = stub;
}

function resolveIfThere(require: NodeJS.Require, name: string): string | undefined {
  try {
    return require.resolve(name);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'MODULE_NOT_FOUND') return undefined;
    throw error;
  }
}
