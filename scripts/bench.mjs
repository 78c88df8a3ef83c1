/** `npm run bench [-- part ...]`: the benchmarks, in a network namespace of their own. Parts: see `bench/main.ts`. */
import { join } from 'node:path';
import { captureHost, restoreHost, startDocker } from './host.mjs';
import { installAndBuild, installPackages, needRoot, root, succeeds } from './prepare.mjs';

const note = '/var/lib/wherry-bench/host.json';

needRoot('to run containers and program a network namespace');
captureHost(note);
installPackages();
installAndBuild();
await startDocker(note);
const passed =
  succeeds(process.execPath, ['scripts/images.mjs', 'busybox']) &&
  succeeds(process.execPath, [
    ...['scripts/namespace.mjs', process.execPath, join(root, 'dist/bench/main.js')],
    ...process.argv.slice(2),
  ]);
await restoreHost({ purge: false, note });
process.exit(passed ? 0 : 1);
