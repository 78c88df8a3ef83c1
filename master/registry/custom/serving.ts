/**
 * 2. Puts the rows of CustomResourceDefinitions into the set of what is served, and takes them out again. Called by the
 * composition root before the API answers (`load`), and by the controller of definitions before it says Established.
 */
import { isReason } from '../../../src/api/errors.js';
import { customResourceDefinitions, type ResourceType } from '../../../src/api/kinds.js';
import { isConditionTrue } from '../../../src/api/meta.js';
import type { CustomResourceDefinition } from '../../../src/api/types.js';
import type { Client } from '../../../src/client/client.js';
import type { ResourceSet } from '../../resources/set.js';
import { type AskConversion, convertByWebhook, convertNone } from './convert.js';
import { customRows } from './rows.js';

export interface CustomKinds {
  /** Serves every definition that is established. */
  load(signal?: AbortSignal): Promise<void>;
  /** Serves the definition as it is now; the same again costs nothing. */
  serve(definition: CustomResourceDefinition): void;
  withdraw(name: string): void;
  /** A version to reach the instances of a definition with; undefined when there can be none of its own. */
  typeOf(name: string): ResourceType | undefined;
}

export interface CustomKindsOptions {
  resources: ResourceSet;
  client: Pick<Client, 'list'>;
  /** Who converts the objects of a definition that has a webhook. */
  conversion(definition: CustomResourceDefinition): AskConversion;
}

export function createCustomKinds({ resources, client, conversion }: CustomKindsOptions): CustomKinds {
  /** What each definition is served as, as text. */
  const served = new Map<string, string>();
  const types = new Map<string, ResourceType>();
  const builtIn = new Set(resources.rows.map(({ type }) => `${type.resource}.${type.group}`));
  const ownerOf = (name: string): string => `customresourcedefinition ${name}`;

  function serve(definition: CustomResourceDefinition): void {
    const { metadata, spec, status } = definition;
    const name = metadata.name ?? '';
    const { uid, deletionTimestamp } = metadata;
    const text = JSON.stringify([
      uid,
      spec,
      status?.acceptedNames,
      status?.storedVersions,
      deletionTimestamp,
    ]);
    if (served.get(name) === text) return;
    served.set(name, text);
    // Objects of a built-in kind live under the same keys; they are not its instances.
    if (builtIn.has(`${spec.names.plural}.${spec.group}`)) return;
    const isWebhook = spec.conversion?.strategy === 'Webhook';
    const convert = isWebhook ? convertByWebhook(conversion(definition)) : convertNone;
    const rows = customRows(definition, convert);
    const type = (rows.find((row) => !row.view) ?? rows[0])?.type;
    if (type) types.set(name, type);
    else types.delete(name);
    resources.replace(ownerOf(name), rows);
  }

  return {
    serve,
    withdraw(name) {
      types.delete(name);
      if (served.delete(name)) resources.replace(ownerOf(name), []);
    },
    typeOf: (name) => types.get(name),
    async load(signal) {
      try {
        const { items } = await client.list(customResourceDefinitions, signal ? { signal } : {});
        for (const definition of items)
          if (isConditionTrue(definition.status?.conditions, 'Established')) serve(definition);
      } catch (error) {
        // Nothing is served that is not a kind of this server.
        if (!isReason(error, 'NotFound')) throw error;
      }
    },
  };
}
