/**
 * `npm test`: every test there is, from a fresh clone: installs what they need, builds, runs them, leaves nothing running.
 *   node scripts/test.mjs [part of a path ...]    only the files whose path holds one of the words
 * Order: unit tests; the installation (which starts Docker itself where none runs); everything that needs Docker. Tests that
 * wait for minutes (`*.slow.root.test.ts`) run beside the system tests, in two namespaces of their own.
 * The last line says `N passed, N failed`.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';
import { captureHost, restoreHost, startDocker } from './host.mjs';
import { hasCommand, installAndBuild, installPackages, needRoot, root, succeeds } from './prepare.mjs';

const note = '/var/lib/wherry-test/host.json';
const words = process.argv.slice(2);

needRoot('the tests run containers and program iptables');
captureHost(note);
installPackages([
  { package: 'curl', present: () => hasCommand('curl') },
  { package: 'busybox-static', present: () => existsSync('/bin/busybox') },
  { package: 'systemd', present: () => hasCommand('systemd-analyze') },
  { package: 'docker-registry', present: () => hasCommand('docker-registry') },
  { package: 'libfaketime', present: () => existsSync('/usr/share/doc/libfaketime') },
]);
installAndBuild();

const files = readdirSync(join(root, 'dist'), { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && entry.name.endsWith('.test.js'))
  .map((entry) => relative(root, join(entry.parentPath, entry.name)))
  .filter((file) => words.length === 0 || words.some((word) => file.includes(word)))
  .sort();
const isRoot = (file) => file.endsWith('.root.test.js');
const isInstallation = (file) => file.startsWith('dist/test/up.');
const isSlow = (file) => file.endsWith('.slow.root.test.js');
/** These reach what they start on loopback through Docker, or compare with its host's: on the machine's own network. */
const isOfRuntime = (file) =>
  /^dist\/agent\/(runtime\/[^/]+|images\/[^/]+|pods\/config\.root\.test\.js)$/.test(file);
const totals = { passed: 0, failed: 0 };

/** Runs files with tap and adds up its closing counts; a run that ends without them counts as one failure. */
async function runTap(name, selection, { jobs = 1, isolated = false, timeoutSeconds = 1200 }) {
  if (selection.length === 0) return;
  process.stdout.write(`\n${name}: ${selection.length} files\n`);
  const out = join(root, `.tap-${process.pid}-${name.replaceAll(' ', '-')}.tap`);
  const args = [
    'run',
    '--reporter=base',
    `--jobs=${jobs}`,
    `--timeout=${timeoutSeconds}`,
    `--output-file=${out}`,
    ...selection,
  ];
  const tap = join(root, 'node_modules/.bin/tap');
  const command = isolated ? [join(root, 'scripts/namespace.mjs'), tap, ...args] : [tap, ...args];
  const child = spawn(process.execPath, command, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] });
  const [status] = await once(child, 'exit');
  const counts = existsSync(out) ? /^# \{ total: .*$/m.exec(readFileSync(out, 'utf8'))?.[0] : undefined;
  const count = (word) => Number(new RegExp(`${word}: (\\d+)`).exec(counts ?? '')?.[1] ?? 0);
  totals.passed += count('pass');
  totals.failed += count('fail') || (status === 0 ? 0 : 1);
  rmSync(out, { force: true });
}

try {
  const unit = files.filter((file) => !isRoot(file));
  const runtime = files.filter((file) => isRoot(file) && isOfRuntime(file));
  const slow = files.filter(isSlow);
  const system = files.filter(
    (file) => isRoot(file) && !isSlow(file) && !isInstallation(file) && !isOfRuntime(file),
  );
  await runTap('unit tests', unit, { jobs: 2 });
  await runTap('installation', files.filter(isInstallation), {});
  await startDocker(note);
  if (!succeeds(process.execPath, ['scripts/images.mjs', 'nginx', 'busybox'])) totals.failed += 1;
  await runTap('runtime tests', runtime, {});
  await Promise.all([
    runTap('system tests', system, { isolated: true }),
    ...[0, 1].map((lane) =>
      runTap(
        `long tests ${lane + 1}`,
        slow.filter((_, index) => index % 2 === lane),
        { isolated: true, timeoutSeconds: 1800 },
      ),
    ),
  ]);
} finally {
  await restoreHost({ purge: false, note });
}
process.stdout.write(`\n${totals.passed} passed, ${totals.failed} failed\n`);
process.exit(totals.failed === 0 && totals.passed > 0 ? 0 : 1);
