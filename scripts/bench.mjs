/** `npm run bench [-- part ...]`: the benchmarks, in a network namespace of their own. Parts: see `bench/main.ts`. */
import { join } from 'node:path';
import { captureHost, restoreHost, startDocker } from './host.mjs';
import { installAndBuild, installPackages, must, needRoot, root } from './prepare.mjs';

const note = '/var/lib/wherry-bench/host.json';

needRoot('to run containers and program a network namespace');
captureHost(note);
installPackages();
installAndBuild();
try {
  await startDocker(note);
  must(process.execPath, ['scripts/images.mjs', 'busybox']);
  must(process.execPath, [
    'scripts/namespace.mjs',
    process.execPath,
    join(root, 'dist/bench/main.js'),
    ...process.argv.slice(2),
  ]);
} finally {
  await restoreHost({ purge: false, note });
}
