/**
 * The number behind a port of a probe or hook: a number as it stands, or the name of a container port. Pure.
 */
import type { ContainerPort, IntOrString } from '../../src/api/types.js';

/** Undefined when no port of the container has that name, or it is no port. */
export function resolvePort(port: IntOrString, ports: readonly ContainerPort[]): number | undefined {
  const named = typeof port === 'string' ? ports.find(({ name }) => name === port)?.containerPort : port;
  const number = named ?? (/^\d+$/.test(String(port)) ? Number(port) : 0);
  return number > 0 && number < 65_536 ? number : undefined;
}
