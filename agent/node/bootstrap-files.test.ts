/** Credentials of an agent that somebody or something damaged. */
import { writeFile } from 'node:fs/promises';
import t from 'tap';
import { createKey } from '../../src/host/x509.js';
import { openCredentialFiles } from './bootstrap-files.js';

t.test('keys that are none are asked for anew; an authority that is none is named', async (t) => {
  const directory = `${t.testdir()}/pki`;
  const files = await openCredentialFiles(directory);
  const write = (name: string, text: string) => writeFile(`${directory}/${name}`, text, { mode: 0o600 });
  const block = (kind: string) => `-----BEGIN ${kind}-----\naHVzaC1odXNo\n-----END ${kind}-----\n`;
  for (const text of ['', 'hush-hush', block('CERTIFICATE'), block('CERTIFICATE') + block('PRIVATE KEY')]) {
    await write('client.pem', text);
    t.equal(await files.readPair('client'), undefined);
    await write('serving.pending.key', text);
    t.equal(await files.readPendingKey('serving'), undefined);
  }
  const key = await createKey();
  await files.writePendingKey('serving', key);
  t.equal(await files.readPendingKey('serving'), key);
  t.equal(await files.readCa(), undefined);
  for (const text of ['', 'hush-hush', block('CERTIFICATE')]) {
    await write('ca.crt', text);
    const message = `${directory}/ca.crt holds no certificate in PEM; remove it and join anew (wherry token create)`;
    await t.rejects(files.readCa(), { message });
  }
});
