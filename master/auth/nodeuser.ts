/**
 * The users that agents are. Pure.
 */

/** The node an agent speaks for: user `system:node:<name>` of group system:nodes, as the node authorizer documents. */
export function nodeOfUser(name: string, groups: readonly string[]): string | undefined {
  const prefix = 'system:node:';
  return groups.includes('system:nodes') && name.startsWith(prefix) ? name.slice(prefix.length) : undefined;
}
