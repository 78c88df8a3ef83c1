/** `npm run lab -- --nodes 3`: a cluster of several hosts on this machine. The work is in `lab/`. */
import { join } from 'node:path';
import { installAndBuild, installPackages, must, needRoot, root } from './prepare.mjs';

needRoot('to make network namespaces and run containers');
installPackages();
installAndBuild();
must(process.execPath, [join(root, 'dist/lab/main.js'), ...process.argv.slice(2)]);
