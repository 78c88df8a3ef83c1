/** `npm run down [-- --purge]`: stops everything and leaves the host as it was before `npm run up`. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { restoreHost } from './host.mjs';
import { installAndBuild, must, needRoot, root } from './prepare.mjs';

needRoot('to stop the services and remove what they left on the host');
const cli = join(root, 'dist/src/cli/main.js');
if (!existsSync(cli)) installAndBuild();
must(process.execPath, [cli, 'down', ...process.argv.slice(2)]);
await restoreHost({ purge: process.argv.includes('--purge') });
