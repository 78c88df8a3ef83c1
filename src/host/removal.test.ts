/** What is removed of a directory that a configuration names: what the role made there, nothing else. */
import { existsSync, lstatSync, readdirSync, symlinkSync } from 'node:fs';
import t from 'tap';
import { removeEmpty, removeOwn } from './removal.js';

const data = { names: ['pki', 'store', 'lock'], marks: ['pki/sa.key', 'store/CURRENT'] };
const used = () => ({
  pki: { 'sa.key': '' },
  store: { CURRENT: '', '1.log': '' },
  lock: '',
  'lock.0815.tmp': '',
});

t.test('all of it', async (t) => {
  const dir = t.testdir({ master: used() });
  t.same(removeOwn(`${dir}/master`, data), []);
  removeEmpty(`${dir}/master`);
  t.same(readdirSync(dir), []);
  t.same(removeOwn(`${dir}/master`, data), [], 'a second time');
  removeEmpty(`${dir}/master`);
});

t.test('what is not ours stays, and what only looks like it', async (t) => {
  const dir = t.testdir({
    master: { ...used(), photos: { 'a.jpg': '' } },
    shop: { store: { goods: '' } },
    file: '',
  });
  t.same(removeOwn(`${dir}/master`, data), [`${dir}/master/photos`]);
  t.same(readdirSync(`${dir}/master`), ['photos']);
  removeEmpty(`${dir}/master`);
  t.ok(existsSync(`${dir}/master/photos/a.jpg`));

  t.same(removeOwn(`${dir}/shop`, data), [`${dir}/shop`]);
  t.ok(existsSync(`${dir}/shop/store/goods`));
  t.same(removeOwn(`${dir}/file`, data), []);
  removeEmpty(`${dir}/file`);
  t.ok(existsSync(`${dir}/file`));
});

t.test('a link to another disk: what it leads to, and the link', async (t) => {
  const dir = t.testdir({
    disk: { ...used(), 'lost+found': {} },
    other: { ...used(), photos: '' },
    outside: { key: '' },
  });
  for (const name of ['disk', 'other']) symlinkSync(`${dir}/${name}`, `${dir}/to-${name}`);
  symlinkSync(`${dir}/nowhere`, `${dir}/to-nowhere`);
  symlinkSync(`${dir}/outside`, `${dir}/disk/pki/link`);
  t.same(removeOwn(`${dir}/to-disk`, data), []);
  t.same(removeOwn(`${dir}/to-other`, data), [`${dir}/other/photos`]);
  t.same(removeOwn(`${dir}/to-nowhere`, data), []);
  for (const name of ['disk', 'other', 'nowhere']) removeEmpty(`${dir}/to-${name}`);
  t.same(readdirSync(dir).sort(), ['disk', 'other', 'outside', 'to-other']);
  t.same(readdirSync(`${dir}/disk`), ['lost+found']);
  t.ok(lstatSync(`${dir}/to-other`).isSymbolicLink());
  t.ok(existsSync(`${dir}/outside/key`), 'a link in it leads nowhere');
});
