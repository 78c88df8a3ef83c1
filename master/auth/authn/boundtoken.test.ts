/** Tokens bound to objects that are being deleted, and clocks that jump. */
import t from 'tap';
import { notFound } from '../../../src/api/errors.js';
import type { KubeObject, ObjectMeta } from '../../../src/api/types.js';
import type { Client } from '../../../src/client/client.js';
import { createKey } from '../../../src/host/x509.js';
import { createFakeClock } from '../../../src/testing/clock.js';
import { identifyBoundToken } from './boundtoken.js';
import { createTokenIssuer, defaultIssuer } from './issuer.js';
import { keySetOf, readSigningKey } from './keys.js';

const clock = createFakeClock('2026-03-01T12:00:00Z');
const keys = keySetOf(readSigningKey(await createKey()), []);
const issuer = createTokenIssuer({ keys: () => keys, address: 'api.example:6443', clock });
const robot: ObjectMeta = { namespace: 'default', name: 'robot', uid: 'uid-robot' };
const web: ObjectMeta = { namespace: 'default', name: 'web', uid: 'uid-web' };
const objects = new Map<string, ObjectMeta>();
const client: Pick<Client, 'get'> = {
  get: async (type, { name }) => {
    const metadata = objects.get(`${type.resource}/${name}`);
    if (!metadata) throw notFound({ group: '', resource: type.resource, name });
    return { metadata } as KubeObject as never;
  },
};
const issue = (kind: 'Pod' | 'Node' | 'Secret', metadata: ObjectMeta, node?: { name: string; uid: string }) =>
  issuer.issue({
    ...{ serviceAccount: robot, audiences: [defaultIssuer], expirationSeconds: 3600 },
    bound: { kind, metadata },
    ...(node && { node }),
  });
const isGood = async (token: string): Promise<boolean> =>
  (await identifyBoundToken({ issuer, client, clock }, token)) !== undefined;
const inSeconds = (seconds: number): string => new Date(clock.now().getTime() + seconds * 1000).toISOString();

t.beforeEach(() => {
  objects.clear();
  objects.set('serviceaccounts/robot', robot).set('pods/web', web);
});

t.test('what is being deleted counts for a minute past its time', async (t) => {
  const token = await issue('Pod', web);
  t.ok(await isGood(token));
  for (const [seconds, good] of [
    [30, true],
    [-59, true],
    [-60, true],
    [-61, false],
  ] as const) {
    const deletionTimestamp = inSeconds(seconds);
    objects.set('pods/web', { ...web, deletionTimestamp });
    t.equal(await isGood(token), good, `deleted ${seconds} s from now`);
    objects.set('pods/web', web).set('serviceaccounts/robot', { ...robot, deletionTimestamp });
    t.equal(await isGood(token), good, `its account ${seconds} s from now`);
    objects.set('serviceaccounts/robot', robot);
  }
  objects.delete('pods/web');
  t.notOk(await isGood(token), 'gone: at once');
  objects.set('pods/web', { ...web, uid: 'another' });
  t.notOk(await isGood(token), 'another one of its name');
});

t.test('a node is a bond of its own tokens only', async (t) => {
  const node: ObjectMeta = { name: 'n1', uid: 'uid-n1' };
  objects.set('nodes/n1', node);
  const ofNode = await issue('Node', node);
  const ofPod = await issue('Pod', web, { name: 'n1', uid: 'uid-n1' });
  t.ok(await isGood(ofNode));
  objects.delete('nodes/n1');
  t.notOk(await isGood(ofNode));
  t.ok(await isGood(ofPod), 'told, not bound');
});

t.test('clocks that jump', async (t) => {
  const token = await issue('Pod', web);
  t.ok(await isGood(token));
  clock.jump(3600_000);
  t.notOk(await isGood(token), 'over, though remembered');
  clock.jump(-3600_000);
  t.ok(await isGood(token));
  clock.jump(-30_000);
  t.ok(await isGood(await issue('Pod', web)));
  clock.jump(-30_000);
  t.ok(await isGood(token), 'made a minute ahead of a clock that was set back');
  clock.jump(60_000);
});
