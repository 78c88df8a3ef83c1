/**
 * The number behind a port of a probe or hook: a number as it stands, or the name of a container port. Pure.
 */
import type { ContainerPort, IntOrString } from '../../src/api/types.js';

/** Undefined when no port of the container has that name. */
export function resolvePort(port: IntOrString, ports: readonly ContainerPort[]): number | undefined {
  if (typeof port === 'number') return port;
  const named = ports.find(({ name }) => name === port)?.containerPort;
  const number = Number.parseInt(port, 10);
  return named ?? (String(number) === port ? number : undefined);
}
