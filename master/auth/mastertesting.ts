import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Agent, request } from 'undici';
import type { PolicyRule, Status } from '../../src/api/types.js';
import { loadKubeconfig } from '../../src/client/kubeconfig.js';
import { systemClock } from '../../src/host/clock.js';
import { silentLogger } from '../../src/host/log.js';
import { createMaster, type Master } from '../main.js';
import { testOptions } from '../testing.js';
import { rbacGroup } from './rbacindex.js';

export interface Who {
  token?: string;
  /** Impersonated by the administrator. */
  as?: string;
  groups?: string[];
}

export interface Answer {
  code: number;
  body: unknown;
  message: string;
}

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

export interface TestMaster {
  /** Its data directory. */
  directory: string;
  /** As the administrator's kubeconfig says. */
  url(): string;
  ca: string;
  ask(who: Who, method: Method, path: string, body?: object, contentType?: string): Promise<Answer>;
  /** As the administrator; throws when it is refused. */
  make(path: string, body: object): Promise<Answer>;
  tokenOf(namespace: string, account: string): Promise<string>;
  /** `meanwhile` runs while there is none. */
  restart(meanwhile?: () => Promise<void>): Promise<void>;
  close(): Promise<void>;
}

export const root: Who = {};
export const core = (namespace: string, rest: string): string => `/api/v1/namespaces/${namespace}/${rest}`;
export const access = (rest: string, namespace?: string): string =>
  `/apis/${rbacGroup}/v1/${namespace ? `namespaces/${namespace}/` : ''}${rest}`;
export const roleOf = (name: string, rules: PolicyRule[]): object => ({ metadata: { name }, rules });
export const bindingOf = (name: string, kind: string, role: string, user: string): object => ({
  metadata: { name },
  roleRef: { apiGroup: rbacGroup, kind, name: role },
  subjects: [{ kind: 'User', apiGroup: rbacGroup, name: user }],
});

const { signal } = new AbortController();

/** Asks until the answer has the code: what was written is heard of a moment later. */
export async function until(code: number, call: () => Promise<Answer>): Promise<Answer> {
  const deadline = AbortSignal.timeout(30_000);
  for (;;) {
    const answer = await call();
    if (answer.code === code || deadline.aborted) return answer;
    await systemClock.sleep(5, signal);
  }
}

export async function openTestMaster(): Promise<TestMaster> {
  const directory = await mkdtemp(join(tmpdir(), 'wherry-access-'));
  const options = await testOptions(directory, { advertiseAddress: '10.0.0.1' });

  async function start(): Promise<Master> {
    const started = createMaster(options, { clock: systemClock, log: silentLogger });
    await started.start(signal);
    return started;
  }

  let master = await start();
  const { ca, token: adminToken, cert, key } = await loadKubeconfig(options.adminKubeconfig);
  const admin = new Agent({ connect: { ca, cert, key } });
  const stranger = new Agent({ connect: { ca } });

  const ask: TestMaster['ask'] = async (who, method, path, body, contentType = 'application/json') => {
    const token = who.token ?? adminToken;
    const answer = await request(master.url() + path, {
      method,
      dispatcher: who.token === undefined ? admin : stranger,
      headers: {
        ...(token && { authorization: `Bearer ${token}` }),
        ...(who.as && { 'impersonate-user': who.as }),
        ...(who.groups && { 'impersonate-group': who.groups }),
        ...(body && { 'content-type': contentType }),
      },
      body: body ? JSON.stringify(body) : null,
    });
    const text = await answer.body.text();
    const parsed: unknown = text.startsWith('{') ? JSON.parse(text) : text;
    return { code: answer.statusCode, body: parsed, message: (parsed as Status).message ?? '' };
  };

  return {
    directory,
    url: () => master.url(),
    ca: ca ?? '',
    ask,
    async make(path, body) {
      const answer = await ask(root, 'POST', path, body);
      if (answer.code !== 201) throw new Error(`${path}: ${answer.code} ${answer.message}`);
      return answer;
    },
    async tokenOf(namespace, account) {
      const path = core(namespace, `serviceaccounts/${account}/token`);
      const { body } = await ask(root, 'POST', path, { spec: {} });
      return (body as { status: { token: string } }).status.token;
    },
    async restart(meanwhile) {
      await master.stop();
      await meanwhile?.();
      master = await start();
    },
    async close() {
      await Promise.all([admin.destroy(), stranger.destroy()]);
      await master.stop();
      await rm(directory, { recursive: true });
    },
  };
}
