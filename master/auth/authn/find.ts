/** What credentials speak of, looked up anew every time. Called by the ways of knowing tokens. */
import { isReason } from '../../../src/api/errors.js';
import type { ResourceType } from '../../../src/api/kinds.js';
import type { ObjectRef } from '../../../src/api/meta.js';
import type { KubeObject } from '../../../src/api/types.js';
import type { Client } from '../../../src/client/client.js';

export async function find<T extends KubeObject>(
  client: Pick<Client, 'get'>,
  type: ResourceType<T>,
  ref: ObjectRef,
): Promise<T | undefined> {
  try {
    return await client.get(type, ref);
  } catch (error) {
    if (isReason(error, 'NotFound')) return undefined;
    throw error;
  }
}
