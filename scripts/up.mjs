/** `npm run up`: from a fresh clone to nginx answering on its NodePort. What is done on the host: `src/cli/up/`. */
import { join } from 'node:path';
import { captureHost, startDocker } from './host.mjs';
import { installAndBuild, installPackages, must, needRoot, root } from './prepare.mjs';

needRoot('to install packages, run containers and program iptables');
captureHost();
installPackages();
installAndBuild();
await startDocker();
must(process.execPath, [join(root, 'dist/src/cli/main.js'), 'up', ...process.argv.slice(2)]);
