/** What tests of custom kinds share: a test server with the controllers, and a definition to vary. Imported by tests only. */
import type { Test } from 'tap';
import type { CustomResourceDefinition, KubeObject } from '../../../src/api/types.js';
import { createInformers } from '../../../src/client/informers.js';
import { systemClock } from '../../../src/host/clock.js';
import { silentLogger } from '../../../src/host/log.js';
import { createCaller } from '../../aggregation/caller.js';
import { createControllers } from '../../controllers/index.js';
import { type Answered, createTestServer, type TestServer } from '../../http/testing.js';
import { servedTypes } from '../../resources/followed.js';
import { createRegistryClient } from '../client.js';
import { createConversion } from './review.js';
import { createCustomKinds } from './serving.js';

export const admin = { name: 'admin', groups: ['system:masters'] };
export const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
export const crontabs = '/apis/stable.example.com/v1/namespaces/default/crontabs';

/** A server whose definitions are served, until the test ends. */
export async function start(t: Test): Promise<TestServer> {
  const server = await createTestServer();
  const client = createRegistryClient(server.registry, admin);
  const caller = createCaller({ client, clock: systemClock });
  const newUid = (): string => 'a-review';
  const { resources } = server.registry;
  const customKinds = createCustomKinds({
    resources,
    client,
    conversion: (definition) => createConversion({ caller, newUid }, definition),
  });
  const informers = createInformers({ client, clock: systemClock, log: silentLogger });
  const controllers = createControllers({
    ...{ client, informers, clock: systemClock, log: silentLogger },
    options: { clusterCidr: '10.244.0.0/16', caPem: () => '', types: servedTypes(resources), customKinds },
  });
  const signal = new AbortController().signal;
  await informers.start(signal);
  await controllers.start(signal);
  t.teardown(async () => {
    await controllers.stop();
    await informers.stop();
    caller.close();
    await server.close();
  });
  return server;
}

export const version = (name: string, more: object = {}): object => ({
  ...{ name, served: true, storage: name === 'v1' },
  schema: {
    openAPIV3Schema: {
      type: 'object',
      description: 'Runs things.',
      properties: {
        spec: {
          type: 'object',
          required: ['cronSpec'],
          properties: {
            cronSpec: { type: 'string', description: 'When.' },
            image: { type: 'string', default: 'busybox' },
            replicas: { type: 'integer', minimum: 1, maximum: 10 },
          },
          'x-kubernetes-validations': [{ rule: "self.image != 'bad'", message: 'not that image' }],
        },
        status: { type: 'object', properties: { replicas: { type: 'integer' } } },
      },
    },
  },
  subresources: {
    status: {},
    scale: { specReplicasPath: '.spec.replicas', statusReplicasPath: '.status.replicas' },
  },
  additionalPrinterColumns: [
    { name: 'Spec', type: 'string', jsonPath: '.spec.cronSpec' },
    { name: 'Replicas', type: 'integer', jsonPath: '.spec.replicas', priority: 1 },
  ],
  selectableFields: [{ jsonPath: '.spec.image' }],
  ...more,
});

export const crontab = (more: object = {}, versions: object[] = [version('v1')]): object => ({
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'crontabs.stable.example.com' },
  spec: {
    ...{ group: 'stable.example.com', scope: 'Namespaced', versions },
    names: { plural: 'crontabs', kind: 'CronTab', shortNames: ['ct'] },
    ...more,
  },
});

export const instance = (name: string, spec: object = { cronSpec: '* * *' }, apiVersion = 'v1'): object => ({
  apiVersion: `stable.example.com/${apiVersion}`,
  kind: 'CronTab',
  metadata: { name },
  spec,
});

const never = new AbortController().signal;

export async function until(read: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 4000; tries += 1) {
    if (await read()) return;
    await systemClock.sleep(10, never);
  }
  throw new Error('that never came');
}

export const conditionOf = (answer: Answered, type: string): string | undefined =>
  answer.json<CustomResourceDefinition>().status?.conditions?.find((one) => one.type === type)?.status;

export async function define(server: TestServer, definition: object): Promise<void> {
  const created = await server.ask('POST', definitions, { body: definition });
  if (created.code !== 201) throw new Error(created.text);
  const { name = '' } = created.json<KubeObject>().metadata;
  await until(
    async () => conditionOf(await server.ask('GET', `${definitions}/${name}`), 'Established') === 'True',
  );
}

export const merge = { 'content-type': 'application/merge-patch+json' };
