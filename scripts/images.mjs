/**
 * Builds the images of the examples out of distribution packages, for hosts that reach no registry:
 *   node scripts/images.mjs nginx busybox [--host unix:///var/run/docker.sock]
 * Same name, same entry point and paths as the well-known images, so that manifests run unchanged. Needs apt and the
 * installed npm packages; asks the Docker daemon through its API. An image that is there already is left alone.
 */
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import Docker from 'dockerode';

const nginxConf = `worker_processes 1;
error_log /dev/stderr notice;
pid /run/nginx.pid;
events { worker_connections 1024; }
http {
  include mime.types;
  default_type application/octet-stream;
  access_log /dev/stdout;
  sendfile on;
  keepalive_timeout 65;
  include /etc/nginx/conf.d/*.conf;
}
`;

const nginxSite = `server {
  listen 80;
  location / { root /usr/share/nginx/html; index index.html; }
}
`;

const images = {
  nginx: {
    packages: ['nginx', 'nginx-common', 'busybox'],
    changes: ['CMD ["nginx", "-g", "daemon off;"]', 'STOPSIGNAL SIGQUIT', 'EXPOSE 80'],
    finish(root) {
      for (const dir of ['var/lib/nginx', 'var/log/nginx', 'etc/nginx/conf.d'])
        mkdirSync(join(root, dir), { recursive: true });
      writeFileSync(join(root, 'etc/nginx/nginx.conf'), nginxConf);
      writeFileSync(join(root, 'etc/nginx/conf.d/default.conf'), nginxSite);
    },
  },
  busybox: { packages: ['busybox'], changes: ['CMD ["sh"]'], finish: () => undefined },
};

function run(file, args, options = {}) {
  const result = spawnSync(file, args, { encoding: 'utf8', ...options });
  if (result.error) throw result.error;
  if (result.status !== 0) throw new Error(`${file} ${args.join(' ')}: ${result.stderr.trim()}`);
  return result.stdout;
}

/** Downloads a package into `dir`; refreshes apt's lists once when it is not known. */
function download(name, dir) {
  const get = () => run('apt-get', ['-qq', '-o', 'APT::Sandbox::User=root', 'download', name], { cwd: dir });
  const before = new Set(readdirSync(dir));
  try {
    get();
  } catch {
    // Most likely the lists are missing or old; the second failure is the one to report.
    run('apt-get', ['-qq', 'update']);
    get();
  }
  const file = readdirSync(dir).find((entry) => !before.has(entry));
  if (!file) throw new Error(`apt-get download ${name} brought nothing`);
  return join(dir, file);
}

/** The libraries (and nginx flavours) among a package's dependencies, first alternative each. */
function dependencies(deb) {
  return run('dpkg-deb', ['-f', deb, 'Depends', 'Pre-Depends'])
    .replace(/^[A-Za-z-]+: /gm, '')
    .split(/[,\n]/)
    .map((alternative) => alternative.trim().split(/[\s|(:]/)[0] ?? '')
    .filter((name) => /^(lib(?!nginx-mod)|zlib|nginx)/.test(name));
}

/** Unpacks the packages and everything they link against; `usr` is merged as on the distribution itself. */
function unpack(packages, root, dir) {
  const queue = [...packages];
  const seen = new Set();
  for (let name = queue.shift(); name !== undefined; name = queue.shift()) {
    if (seen.has(name)) continue;
    seen.add(name);
    const deb = download(name, dir);
    const tar = spawnSync('dpkg-deb', ['--fsys-tarfile', deb], { maxBuffer: 1 << 30 });
    run('tar', ['-C', root, '-x', '--keep-directory-symlink'], { input: tar.stdout });
    queue.push(...dependencies(deb));
  }
}

function layOut(root) {
  for (const dir of [
    'usr/bin',
    'usr/sbin',
    'usr/lib',
    'usr/lib64',
    'etc',
    'run',
    'tmp',
    'proc',
    'sys',
    'dev',
    'root',
    'var/log',
  ])
    mkdirSync(join(root, dir), { recursive: true });
  for (const dir of ['bin', 'sbin', 'lib', 'lib64']) symlinkSync(`usr/${dir}`, join(root, dir));
  symlinkSync('../run', join(root, 'var/run'));
  chmodSync(join(root, 'tmp'), 0o1777);
  writeFileSync(
    join(root, 'etc/passwd'),
    'root:x:0:0:root:/root:/bin/sh\nwww-data:x:33:33:www-data:/var/www:/sbin/nologin\nnobody:x:65534:65534:nobody:/:/sbin/nologin\n',
  );
  writeFileSync(join(root, 'etc/group'), 'root:x:0:\nadm:x:4:\nwww-data:x:33:\nnogroup:x:65534:\n');
}

/** One name per busybox applet, unless the image brings the real program. */
function linkApplets(root) {
  const busybox = ['usr/bin/busybox', 'bin/busybox'].map((file) => join(root, file)).find(existsSync);
  if (!busybox) throw new Error('the busybox package holds no busybox');
  const loader = join(root, 'lib64/ld-linux-x86-64.so.2');
  const libraries = readdirSync(join(root, 'usr/lib'), { withFileTypes: true }).filter((entry) =>
    entry.isDirectory(),
  );
  const libraryPath = libraries.map((entry) => join(root, 'usr/lib', entry.name)).join(':');
  const list = existsSync(loader)
    ? run(loader, ['--library-path', libraryPath, busybox, '--list'])
    : run('busybox', ['--list']);
  for (const applet of list.split('\n').filter((name) => name !== '' && name !== 'busybox')) {
    const link = join(root, 'usr/bin', applet);
    if (!existsSync(link) && !existsSync(join(root, 'usr/sbin', applet))) symlinkSync('busybox', link);
  }
}

/** Documentation and translations serve nobody in a container. */
function slim(root) {
  for (const dir of [
    'usr/share/doc',
    'usr/share/man',
    'usr/share/locale',
    'usr/share/lintian',
    'var/cache',
    'usr/share/info',
  ])
    rmSync(join(root, dir), { recursive: true, force: true });
}

async function build(docker, name) {
  const image = images[name];
  const dir = mkdtempSync(join(tmpdir(), `wherry-image-${name}-`));
  try {
    const root = join(dir, 'root');
    const debs = join(dir, 'debs');
    mkdirSync(root);
    mkdirSync(debs);
    layOut(root);
    unpack(image.packages, root, debs);
    linkApplets(root);
    for (const file of ['resolv.conf', 'hosts'])
      if (existsSync(`/etc/${file}`)) copyFileSync(`/etc/${file}`, join(root, 'etc', file));
    slim(root);
    image.finish(root);
    run('tar', ['-C', root, '--owner=0', '--group=0', '--numeric-owner', '-cf', join(dir, 'root.tar'), '.']);
    writeFileSync(
      join(dir, 'Dockerfile'),
      ['FROM scratch', 'ADD root.tar /', ...image.changes, ''].join('\n'),
    );
    const context = join(dir, 'context.tar');
    run('tar', ['-C', dir, '-cf', context, 'Dockerfile', 'root.tar']);
    const stream = await docker.buildImage(context, { t: `${name}:latest`, rm: true, forcerm: true });
    await new Promise((resolve, reject) =>
      docker.modem.followProgress(stream, (error, rows) => {
        const failed = rows?.find((row) => row.error);
        if (error ?? failed) reject(error ?? new Error(failed.error));
        else resolve(undefined);
      }),
    );
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

async function isPresent(docker, name) {
  try {
    await docker.getImage(`${name}:latest`).inspect();
    return true;
  } catch (error) {
    if (error.statusCode === 404) return false;
    throw error;
  }
}

const { values, positionals } = parseArgs({ allowPositionals: true, options: { host: { type: 'string' } } });
const unknown = positionals.filter((name) => !(name in images));
if (positionals.length === 0 || unknown.length > 0) {
  process.stderr.write(
    `usage: node scripts/images.mjs ${Object.keys(images).join('|')} ... [--host unix:///path]\n`,
  );
  process.exit(2);
}
const socketPath = (values.host ?? 'unix:///var/run/docker.sock').replace(/^unix:\/\//, '');
const docker = new Docker({ socketPath });
for (const name of positionals) {
  if (await isPresent(docker, name)) continue;
  process.stdout.write(`building the image ${name} from distribution packages\n`);
  await build(docker, name);
}
