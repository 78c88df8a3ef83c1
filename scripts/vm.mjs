/**
 * `npm run test:vm [-- pressure] [-- --suite trixie]`: Wherry on a real machine: systemd as PID 1, cgroup v2, AppArmor,
 * every capability. Boots Debian in QEMU (no KVM needed, so it is slow: half an hour), installs as an administrator
 * would, reboots twice, the second time with little memory, and reads the verdict off the serial console. `pressure` is
 * the last of these boots alone. What happens inside: `test/vm/guest.sh`. The root file system is cached under
 * /var/cache/wherry-vm; it is Debian 12 unless told otherwise.
 */
import { spawn } from 'node:child_process';
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { captureHost, restoreHost, startDocker } from './host.mjs';
import { fail, hasCommand, installAndBuild, installPackages, must, needRoot, root } from './prepare.mjs';

const {
  values: { suite },
  positionals: [only, ...others],
} = parseArgs({ options: { suite: { type: 'string', default: 'bookworm' } }, allowPositionals: true });
if ((only ?? 'pressure') !== 'pressure' || others.length > 0)
  fail('the only part that runs alone is: pressure');
if (!/^[a-z]+$/.test(suite)) fail(`--suite ${suite}: write the name of a Debian, like bookworm`);
const cache = '/var/cache/wherry-vm';
const base = join(cache, suite);
const images = join(cache, 'images.tar');
const disk = join(cache, 'disk.img');
const note = '/var/lib/wherry-vm/host.json';
const timeoutMs = 60 * 60_000;
/** guest.sh looks for the last word. */
const commandLine =
  'root=/dev/vda rw console=ttyS0 quiet systemd.show_status=0 net.ifnames=0 hugepages=16' +
  (only ? ` guest=${only}` : '');
/** MiB of memory of each boot. */
const memories = only ? [1024] : [3072, 3072, 1024];
const packages = [
  ...['systemd', 'systemd-sysv', 'udev', 'dbus', 'iproute2', 'kmod', 'procps', 'curl', 'ca-certificates'],
  ...['linux-image-cloud-amd64', 'initramfs-tools', 'zstd', 'apparmor', 'libstdc++6', 'libcap2-bin'],
  ...['docker.io', 'iptables', 'nftables', 'conntrack', 'containernetworking-plugins', 'kubernetes-client'],
  // For the image of the tests that run inside.
  'busybox-static',
];

needRoot('to make a root file system for the machine');
installPackages([
  { package: 'qemu-system-x86', present: () => hasCommand('qemu-system-x86_64') },
  { package: 'debootstrap', present: () => hasCommand('debootstrap') },
  { package: 'e2fsprogs', present: () => hasCommand('mke2fs') },
]);
installAndBuild();
makeBase();
await saveImages();
makeDisk();
/** The machine ends when it reboots (-no-reboot); it is then started again, as hardware would. */
let verdict;
for (const memory of memories) verdict ??= await boot(memory);
rmSync(disk);
const passed = verdict === 'passed';
process.stdout.write(`\n${passed ? '1 passed, 0 failed' : '0 passed, 1 failed'}\n`);
process.exit(passed ? 0 : 1);

/** Made once; again when the list of packages is another. */
function makeBase() {
  const stamp = `${base}.packages`;
  const wanted = packages.join('\n');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return;
  rmSync(base, { recursive: true, force: true });
  mkdirSync(cache, { recursive: true });
  must('debootstrap', ['--variant=minbase', `--include=${packages.join(',')}`, suite, base]);
  writeFileSync(stamp, wanted);
}

/** The images of the example and of the checks as a file, so that the machine needs no network. */
async function saveImages() {
  if (existsSync(images)) return;
  captureHost(note);
  await startDocker(note);
  must(process.execPath, [join(root, 'scripts/images.mjs'), 'nginx', 'busybox']);
  must('docker', ['save', '--output', `${images}.new`, 'nginx:latest', 'busybox:latest']);
  await restoreHost({ purge: false, note });
  renameSync(`${images}.new`, images);
}

/** Base, node, this clone, the images and the guest's scripts, as one ext4 file made without mounting. */
function makeDisk() {
  const tree = join(cache, 'tree');
  rmSync(tree, { recursive: true, force: true });
  must('cp', ['-a', base, tree]);
  copyFileSync(process.execPath, join(tree, 'usr/local/bin/node'));
  const app = join(tree, 'opt/wherry');
  for (const part of [
    'dist',
    'node_modules',
    'examples',
    'systemd',
    'scripts',
    'package.json',
    'package-lock.json',
  ])
    cpSync(join(root, part), join(app, part), { recursive: true, verbatimSymlinks: true });
  cpSync(join(root, 'test/vm'), join(tree, 'opt/vm'), { recursive: true });
  copyFileSync(join(root, 'test/vm/guest.service'), join(tree, 'etc/systemd/system/guest.service'));
  // Emulated, starts and stops take many times longer.
  mkdirSync(join(tree, 'etc/systemd/system/service.d'));
  writeFileSync(
    join(tree, 'etc/systemd/system/service.d/slow.conf'),
    '[Service]\nTimeoutStartSec=900\nTimeoutStopSec=90\n',
  );
  // But not the test itself, which would be ended after that time: a file of the same name in its own directory counts.
  mkdirSync(join(tree, 'etc/systemd/system/guest.service.d'));
  writeFileSync(
    join(tree, 'etc/systemd/system/guest.service.d/slow.conf'),
    '[Service]\nTimeoutStartSec=infinity\n',
  );
  must('systemctl', [
    '--root',
    tree,
    '--quiet',
    'enable',
    'guest.service',
    'systemd-networkd.service',
    'docker.service',
  ]);
  writeFileSync(
    join(tree, 'etc/systemd/network/10-eth.network'),
    '[Match]\nName=en* eth*\n[Network]\nDHCP=ipv4\n',
  );
  writeFileSync(join(tree, 'etc/hostname'), 'vm\n');
  writeFileSync(join(tree, 'etc/fstab'), '/dev/vda / ext4 defaults 0 1\n');
  copyFileSync(images, join(tree, 'opt/images.tar'));
  rmSync(disk, { force: true });
  must('mke2fs', ['-q', '-t', 'ext4', '-d', tree, disk, '6G']);
  rmSync(tree, { recursive: true, force: true });
}

/** Runs the machine until it powers off or reboots; resolves with the verdict on its console, if it gave one. */
function boot(memory) {
  const bootDir = join(base, 'boot');
  const find = (prefix) =>
    join(
      bootDir,
      readdirSync(bootDir).find((name) => name.startsWith(prefix)) ?? fail(`no ${prefix} in ${bootDir}`),
    );
  const qemu = spawn('qemu-system-x86_64', [
    ...'-machine q35,accel=tcg -cpu max -smp 2 -nographic -no-reboot'.split(' '),
    ...['-m', String(memory), '-kernel', find('vmlinuz'), '-initrd', find('initrd.img')],
    ...['-append', commandLine],
    ...['-drive', `file=${disk},if=virtio,format=raw,cache=unsafe`],
    ...['-nic', 'user,model=virtio-net-pci,restrict=on'],
  ]);
  return new Promise((resolve) => {
    let console = '';
    process.once('SIGINT', () => qemu.kill('SIGKILL')).once('SIGTERM', () => qemu.kill('SIGKILL'));
    const timer = setTimeout(() => qemu.kill('SIGKILL'), timeoutMs);
    qemu.stderr.pipe(process.stderr);
    qemu.stdout.on('data', (chunk) => {
      process.stdout.write(chunk);
      console += chunk;
    });
    qemu.once('exit', (code) => {
      clearTimeout(timer);
      resolve(code === 0 ? /^GUEST: (passed|failed)/m.exec(console)?.[1] : 'failed');
    });
  });
}
