/** The status of policies: what cannot be right for the kinds they are meant for. */
import t from 'tap';
import { validatingAdmissionPolicies } from '../../src/api/kinds.js';
import type { MatchResources, ValidatingAdmissionPolicySpec } from '../../src/api/types.js';
import { createInformers } from '../../src/client/informers.js';
import { systemClock } from '../../src/host/clock.js';
import { silentLogger } from '../../src/host/log.js';
import { createTestAdmission } from './testing.js';
import { createTypeCheckController } from './typecheck.js';

const apps: MatchResources = {
  resourceRules: [
    {
      operations: ['CREATE', 'UPDATE'],
      apiGroups: ['apps'],
      apiVersions: ['v1'],
      resources: ['deployments'],
    },
  ],
};

t.test('expressions that cannot be right are told of in the status', async (t) => {
  const admission = await createTestAdmission();
  const informers = createInformers({ client: admission.client, clock: systemClock, log: silentLogger });
  const controller = createTypeCheckController({
    ...{ client: admission.client, informers, resources: admission.registry.resources },
    ...{ clock: systemClock, log: silentLogger },
  });
  t.teardown(async () => {
    await controller.stop();
    await informers.stop();
    await admission.close();
  });
  await informers.start(new AbortController().signal);
  await controller.start(new AbortController().signal);
  const statusOf = async (validations: ValidatingAdmissionPolicySpec['validations']) => {
    await admission.client.create(validatingAdmissionPolicies, {
      metadata: { name: 'typed' },
      spec: { matchConstraints: apps, validations },
    });
    const read = () => admission.client.get(validatingAdmissionPolicies, { name: 'typed' });
    for (let turn = 0; turn < 1000 && !(await read()).status; turn += 1)
      await new Promise((resolve) => setImmediate(resolve));
    const { status } = await read();
    await admission.client.delete(validatingAdmissionPolicies, { name: 'typed' });
    return status;
  };
  t.same(
    await statusOf([
      { expression: 'object.spec.replicas <= 5 && object.metadata.labels.all(k, k.size() < 9)' },
      { expression: 'object.spec.template.spec.containers.all(c, has(c.image) && c.image != "x")' },
      { expression: 'oldObject == null || oldObject.spec.paused' },
    ]),
    { observedGeneration: 1, typeChecking: {} },
  );
  const warned = await statusOf([
    { expression: 'true' },
    { expression: 'object.nothing > 5' },
    { expression: 'object.spec.replicas == "5"' },
  ]);
  t.match(warned?.typeChecking?.expressionWarnings, [
    {
      fieldRef: 'spec.validations[1].expression',
      warning: /^apps\/v1, Kind=Deployment: ERROR: <input>:1:\d+: undefined field 'nothing'/,
    },
    {
      fieldRef: 'spec.validations[2].expression',
      warning: /found no matching overload for '_==_' applied to '\(int, string\)'/,
    },
  ]);
});
