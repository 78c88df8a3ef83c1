/**
 * 5. `status` of ValidatingAdmissionPolicies: which generation was looked at, and which expressions cannot be right for the
 * kinds they are meant for: fields that these do not have, operators that do not fit. Warnings only: the policy works as it
 * is written.
 */
import { apiVersionOf, validatingAdmissionPolicies } from '../../src/api/kinds.js';
import { builtinSchema } from '../../src/api/schema/table.js';
import type { ExpressionWarning, ValidatingAdmissionPolicy } from '../../src/api/types.js';
import type { Client } from '../../src/client/client.js';
import { type Controller, createController, on } from '../../src/client/controller.js';
import type { Informers } from '../../src/client/informers.js';
import type { Clock } from '../../src/host/clock.js';
import type { Logger } from '../../src/host/log.js';
import { isSameJson } from '../registry/codec.js';
import type { Resource } from '../resources/resource.js';
import type { ResourceSet } from '../resources/set.js';
import { celTypesOf } from './celtypes.js';
import { shapeOf } from './composition.js';
import { policyVariables, problemOf } from './expressions.js';

/** As kube-apiserver: a policy for everything is not checked against everything. */
const maxKinds = 10;

export interface TypeCheckOptions {
  client: Client;
  informers: Informers;
  resources: ResourceSet;
  clock: Clock;
  log: Logger;
}

export function createTypeCheckController(options: TypeCheckOptions): Controller {
  const { client, informers, resources, clock, log } = options;
  const cache = informers.get(validatingAdmissionPolicies);
  return createController({
    name: 'validatingadmissionpolicy-status',
    clock,
    log,
    sources: [on(cache)],
    reconciler: {
      async reconcile(name) {
        const policy = cache.get({ name });
        if (!policy || policy.metadata.deletionTimestamp) return;
        const { generation } = policy.metadata;
        if (policy.status?.observedGeneration === generation) return;
        const warnings = warningsOf(policy, resources.rows);
        const typeChecking = warnings.length > 0 ? { expressionWarnings: warnings } : {};
        const status = { ...policy.status, observedGeneration: generation, typeChecking };
        if (isSameJson(status, policy.status)) return;
        await client.update(validatingAdmissionPolicies, { ...policy, status }, { subresource: 'status' });
      },
    },
  });
}

/** Of the built-in kinds that the policy names without wildcards. Pure. */
export function warningsOf(
  { spec }: ValidatingAdmissionPolicy,
  rows: readonly Resource[],
): ExpressionWarning[] {
  const kinds = kindsOf(spec?.matchConstraints?.resourceRules ?? [], rows);
  if (kinds.length === 0) return [];
  const variables = policyVariables(spec?.paramKind !== undefined);
  const names = (spec?.variables ?? []).map(({ name }) => name);
  const check = (fieldRef: string, source: string, composed: readonly string[]): ExpressionWarning[] => {
    const composition = composed.length > 0 ? shapeOf(composed) : undefined;
    const problems = kinds.flatMap((row) => {
      const type = builtinSchema.typeOf(row.type);
      if (!type) return [];
      const problem = problemOf(source, { variables, composition, objects: celTypesOf(type) });
      const kind = `${apiVersionOf(row.type)}, Kind=${row.type.kind}`;
      return problem === undefined ? [] : [`${kind}: ${problem.replace(/^compilation failed: /, '')}\n`];
    });
    return problems.length > 0 ? [{ fieldRef, warning: problems.join('\n') }] : [];
  };
  return [
    ...(spec?.variables ?? []).flatMap(({ expression }, i) =>
      check(`spec.variables[${i}].expression`, expression, names.slice(0, i)),
    ),
    ...(spec?.validations ?? []).flatMap(({ expression, messageExpression }, i) => [
      ...check(`spec.validations[${i}].expression`, expression, names),
      ...(messageExpression
        ? check(`spec.validations[${i}].messageExpression`, messageExpression, names)
        : []),
    ]),
  ];
}

interface NamedRule {
  apiGroups?: string[] | undefined;
  apiVersions?: string[] | undefined;
  resources?: string[] | undefined;
}

function kindsOf(rules: readonly NamedRule[], rows: readonly Resource[]): Resource[] {
  const found = new Set<Resource>();
  for (const { apiGroups = [], apiVersions = [], resources = [] } of rules) {
    if ([...apiGroups, ...apiVersions, ...resources].some((name) => name.includes('*'))) continue;
    for (const row of rows) {
      const { group, version, resource } = row.type;
      if (apiGroups.includes(group) && apiVersions.includes(version) && resources.includes(resource))
        found.add(row);
    }
  }
  return [...found].slice(0, maxKinds);
}
