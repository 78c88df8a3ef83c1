/**
 * `wherry certs`: what expires when, on this host. `renew` and `rotate` ask the running master, through the API, to do what it
 * does by itself otherwise; they wait until it is done.
 */

import { randomUUID } from 'node:crypto';
import { configMaps } from '../api/kinds.js';
import type { ConfigMap } from '../api/types.js';
import type { Client } from '../client/client.js';
import { ifFound } from '../client/found.js';
import { systemClock } from '../host/clock.js';
import { openAdmin } from './admin.js';

/** Exit code 1 when something has expired or should have been renewed long ago. */
export async function listCerts({ dataDir }: { dataDir: string }): Promise<void> {
  const { listCertificates } = await import('../../master/certificates/list.js');
  const listed = await listCertificates(dataDir, new Date());
  if (listed.length === 0)
    throw new Error(
      `no certificates below ${dataDir}: neither master nor agent has run there; name their directory with --data-dir`,
    );
  const rows = listed.map(({ path, subject, issuer, names, expires, daysLeft, state }) => [
    ...[path.replace(`${dataDir}/`, ''), subject, issuer],
    ...[`${expires.toISOString().slice(0, 16)}Z`, `${daysLeft}d`, state, names],
  ]);
  process.stdout.write(
    tableOf([['CERTIFICATE', 'SUBJECT', 'ISSUER', 'EXPIRES', 'LEFT', 'STATE', 'NAMES'], ...rows]),
  );
  if (listed.some(({ state }) => state !== 'ok')) process.exitCode = 1;
}

/** Two spaces between columns; the last one as long as it is. */
function tableOf(rows: readonly string[][]): string {
  const [head = []] = rows;
  const widths = head.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const last = head.length - 1;
  const line = (row: string[]): string =>
    row.map((cell, column) => (column === last ? cell : cell.padEnd(widths[column] ?? 0))).join('  ');
  return `${rows.map(line).join('\n')}\n`;
}

export interface RotateFlags {
  kubeconfig: string;
  force?: boolean;
  keepOld?: boolean;
}

export async function renewCerts(names: readonly string[], flags: { kubeconfig: string }): Promise<void> {
  const { leafNames } = await import('../../master/auth/pki.js');
  const unknown = names.find((name) => name !== 'all' && !leafNames.some((known) => known === name));
  if (unknown !== undefined)
    throw new Error(`there is no certificate "${unknown}"; take all or one of ${leafNames.join(', ')}`);
  await ask(flags.kubeconfig, 'renew', names.length === 0 ? 'all' : names.join(','));
  process.stdout.write('renewed\n');
}

export async function rotateServiceAccountKey(flags: { kubeconfig: string }): Promise<void> {
  await ask(flags.kubeconfig, 'rotate-service-account-key', '');
  process.stdout.write(
    'new tokens are signed with a new key; the former one (sa-old-*.key) only verifies: remove it when its last token has expired\n',
  );
}

/** Goes on with a rotation that is under way. */
export async function rotateAuthority(flags: RotateFlags): Promise<void> {
  const words = [...(flags.force ? ['force'] : []), ...(flags.keepOld ? ['keep-old'] : [])].join(' ');
  let printed = '';
  await ask(flags.kubeconfig, 'rotate-ca', words, ({ phase, waitingFor }) => {
    const text = `${phaseTexts[phase]}${waitingFor.length > 0 ? `; waits for ${waitingFor.join(', ')}` : ''}\n`;
    if (text.replace(/\d+ s/, '') !== printed.replace(/\d+ s/, '')) process.stdout.write(text);
    printed = text;
    return phase === 'steady' || (phase === 'replaced' && flags.keepOld === true);
  });
  process.stdout.write(
    flags.keepOld
      ? 'the new authority signs; the old one is trusted until the next `wherry certs rotate-ca`\n'
      : 'done: only the new authority is trusted\n',
  );
}

type State = import('../../master/certificates/requests.js').RotationState;

const phaseTexts: Record<State['phase'], string> = {
  steady: 'no rotation is under way',
  announced: 'step 1 of 3: the new authority is announced, the old one signs',
  replaced: 'step 2 of 3: the new authority signs, the old one is still trusted',
};

const { signal } = new AbortController();

/** Resolves when the master has begun with it and `isDone` says so. A rotation under way is continued under its own id. */
async function ask(
  kubeconfig: string,
  kind: keyof State['handled'],
  words: string,
  isDone: (state: State) => boolean = () => true,
): Promise<void> {
  const { requestsRef } = await import('../../master/certificates/requests.js');
  const read = (): Promise<ConfigMap | undefined> =>
    withAdmin(kubeconfig, (client) => ifFound(client.get(configMaps, requestsRef)));
  const found = await read();
  const before = stateOf(found);
  const isUnderWay = kind === 'rotate-ca' && before !== undefined && before.phase !== 'steady';
  const id = isUnderWay ? (before.handled[kind] ?? randomUUID()) : randomUUID();
  const data = { [kind]: `${id} ${words}`.trim() };
  await withAdmin(kubeconfig, (client) =>
    found
      ? client.patch(configMaps, requestsRef, { type: 'merge', body: { data } })
      : client.create(configMaps, { metadata: requestsRef, data }),
  );
  for (;;) {
    const state = stateOf(await read());
    if (state?.handled[kind] === id && isDone(state)) return;
    await systemClock.sleep(1_000, signal);
  }
}

/** The file is read anew each time: what is in it changes when the authority does. */
async function withAdmin<T>(kubeconfig: string, run: (client: Client) => Promise<T>): Promise<T> {
  const { client } = await openAdmin(kubeconfig);
  try {
    return await run(client);
  } finally {
    await client.close();
  }
}

const stateOf = (map: ConfigMap | undefined): State | undefined =>
  map?.data?.['state'] === undefined ? undefined : (JSON.parse(map.data['state']) as State);
