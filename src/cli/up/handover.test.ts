/** Files go to the master's user, and nothing else does. As root only: nobody else gives files away. */
import {
  chmodSync,
  chownSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import t from 'tap';
import { followLink, giveFile, giveTree, letRead, shareDirectory } from './handover.js';

const account = { uid: 12345, gid: 12346 };
const options = { skip: process.getuid?.() !== 0 && 'only root gives files away' };
const ownerOf = (path: string): [number, number] => [lstatSync(path).uid, lstatSync(path).gid];
const root = [0, 0];
const own = [account.uid, account.gid];

t.test('what a master left as root becomes its own, once', options, async (t) => {
  const dir = t.testdir({ outside: { passwd: '' }, data: { master: { pki: { key: '' } } } });
  const master = `${dir}/data/master`;
  symlinkSync(`${dir}/outside`, `${master}/link`);
  giveTree(master, account);
  for (const path of [master, `${master}/pki`, `${master}/pki/key`, `${master}/link`])
    t.same(ownerOf(path), own, path);
  for (const path of [`${dir}/data`, `${dir}/outside`, `${dir}/outside/passwd`])
    t.same(ownerOf(path), root, path);

  writeFileSync(`${master}/later`, '');
  giveTree(master, account);
  t.same(ownerOf(`${master}/later`), root, 'root does not walk in a directory of the user');
});

t.test('a directory that is missing is made, for its user alone', options, async (t) => {
  const dir = t.testdir();
  giveTree(`${dir}/data/master`, account);
  t.same(ownerOf(`${dir}/data`), root);
  t.same(ownerOf(`${dir}/data/master`), own);
  t.equal(statSync(`${dir}/data/master`).mode & 0o777, 0o700);
});

t.test('configuration: shared, readable, and no way to the files of others', options, async (t) => {
  const dir = t.testdir({ outside: '', etc: { 'master.yaml': '', 'admin.kubeconfig': '' } });
  const [etc, config, kubeconfig] = [`${dir}/etc`, `${dir}/etc/master.yaml`, `${dir}/etc/admin.kubeconfig`];
  shareDirectory(etc, account);
  letRead(config, account);
  giveFile(kubeconfig, account);
  giveFile(`${etc}/none`, account);
  t.same([ownerOf(etc), statSync(etc).mode & 0o7777], [[0, account.gid], 0o1775]);
  t.same([ownerOf(config), statSync(config).mode & 0o777], [[0, account.gid], 0o640]);
  t.same(ownerOf(kubeconfig), own);

  const link = `${etc}/link`;
  const { mode } = statSync(`${dir}/outside`);
  symlinkSync(`${dir}/outside`, link);
  giveFile(link, account);
  t.throws(() => letRead(link, account), { message: /link belongs to user 12345; look what it is/ });
  t.same(ownerOf(`${dir}/outside`), root, 'a link to a file of root gives nothing away');
  t.equal(statSync(`${dir}/outside`).mode, mode);
});

t.test('a user that was made anew gets what the former one had', options, async (t) => {
  const dir = t.testdir({ master: { key: '' } });
  mkdirSync(`${dir}/master/store`);
  for (const path of ['master', 'master/key', 'master/store']) chownSync(`${dir}/${path}`, 999, 999);
  giveTree(`${dir}/master`, account);
  t.same(ownerOf(`${dir}/master/key`), own);
});

t.test('a link to another disk, which nobody but root could have made', options, async (t) => {
  const names = ['pki', 'store'];
  // Where all directories above are root's.
  const dir = mkdtempSync('/tmp/wherry-link-');
  t.teardown(() => rmSync(dir, { recursive: true }));
  chmodSync(dir, 0o755);
  const [data, disk] = [`${dir}/data`, `${dir}/mnt/disk`];
  const link = `${data}/master`;
  mkdirSync(data);
  mkdirSync(`${disk}/lost+found`, { recursive: true });
  mkdirSync(`${disk}/pki`);
  symlinkSync('../mnt/disk', link);
  const follow = (): string => followLink(link, account, names);
  t.equal(followLink(data, account, names), data, 'what is no link');
  t.equal(followLink(`${data}/none`, account, names), `${data}/none`);

  const refused = (why: RegExp): void =>
    void t.throws(follow, { message: new RegExp(`^${link} is a link to ${disk}: .*${why.source}`) });
  writeFileSync(`${disk}/photos`, '');
  refused(/photos in it is not the master's; give it a directory of its own/);
  rmSync(`${disk}/photos`);
  for (const path of [data, `${dir}/mnt`, dir]) {
    chownSync(path, 999, 0);
    refused(new RegExp(`${path} belongs to user 999, who could replace it`));
    chownSync(path, 0, 0);
    chmodSync(path, 0o777);
    refused(new RegExp(`others could replace it; run: chmod go-w ${path}$`));
    chmodSync(path, 0o1777);
    t.equal(follow(), disk, 'others may put files beside it');
    chmodSync(path, 0o755);
  }
  for (const path of [link, disk]) {
    lchownSync(path, 999, 0);
    refused(new RegExp(`it belongs to user 999; run: chown -h 0 ${link} ${disk}$`));
    lchownSync(path, 0, 0);
  }

  giveTree(follow(), account);
  t.same(ownerOf(link), root, 'the link stays as it is');
  t.same([ownerOf(disk), ownerOf(`${disk}/pki`), ownerOf(`${disk}/lost+found`)], [own, own, root]);
  t.equal(statSync(disk).mode & 0o777, 0o700);
  t.same([ownerOf(`${dir}/mnt`), ownerOf(data)], [root, root]);
  writeFileSync(`${disk}/later`, '');
  t.equal(follow(), disk, 'a second time, whatever the master put there');
  rmSync(disk, { recursive: true });
  refused(/that is not there; mount or make it, or remove the link/);
  writeFileSync(disk, '');
  refused(/that is no directory/);
  rmSync(disk);
  symlinkSync('/etc', disk);
  refused(/link to \/etc itself/);
  rmSync(link);
  symlinkSync('/etc', link);
  t.throws(follow, { message: /in it is not the master's/ });
  symlinkSync('/', `${data}/all`);
  t.throws(() => followLink(`${data}/all`, account, names), { message: /in it is not the master's/ });
});
