/** The columns of roles, their bindings, and the classes pods are run by. Pure. */
import type { ClusterRoleBinding, PriorityClass, RoleBinding, RuntimeClass } from '../../../src/api/types.js';
import type { Printer } from '../resource.js';
import { ageColumn, createdAge, integer, nameColumn, text, wide } from './age.js';

export const bindingPrinter: Printer<RoleBinding | ClusterRoleBinding> = {
  columns: [
    nameColumn,
    text('Role', 'Which role is given.'),
    ageColumn,
    wide(text('Users', 'Users who have it.')),
    wide(text('Groups', 'Groups whose members have it.')),
    wide(text('ServiceAccounts', 'Service accounts that have it.')),
  ],
  cells: (binding, now) => {
    const { metadata, roleRef, subjects = [] } = binding;
    const named = (kind: string): string =>
      subjects
        .filter((subject) => subject.kind === kind)
        .map(({ name, namespace }) => (kind === 'ServiceAccount' ? `${namespace ?? ''}/${name}` : name))
        .join(', ');
    return [
      metadata.name,
      `${roleRef.kind}/${roleRef.name}`,
      createdAge(binding, now),
      named('User'),
      named('Group'),
      named('ServiceAccount'),
    ];
  },
};

export const priorityClassPrinter: Printer<PriorityClass> = {
  columns: [
    nameColumn,
    integer('Value', 'The priority of its pods.'),
    { name: 'Global-Default', type: 'boolean', description: 'Whether pods that say nothing have it.' },
    ageColumn,
    text('PreemptionPolicy', 'Whether its pods push others out.'),
  ],
  cells: (one, now) => [
    one.metadata.name,
    one.value ?? 0,
    one.globalDefault ?? false,
    createdAge(one, now),
    one.preemptionPolicy ?? '',
  ],
};

export const runtimeClassPrinter: Printer<RuntimeClass> = {
  columns: [nameColumn, text('Handler', 'What the container runtime calls it.'), ageColumn],
  cells: (one, now) => [one.metadata.name, one.handler, createdAge(one, now)],
};
