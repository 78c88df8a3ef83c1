/**
 * 1. What the registry answers -> the bytes that go out. Pure.
 *
 * Plain JSON is never serialised here: GET sends the stored bytes, LIST joins them, WATCH frames them. Only tables,
 * metadata-only, pretty and YAML answers are made on the way out.
 */

import { stringify } from 'yaml';
import { badRequest, type FieldError, invalid } from '../../src/api/errors.js';
import { apiVersionOf } from '../../src/api/kinds.js';
import { managedOf, withOwners } from '../registry/codec.js';
import type { Stored, StoredEvent, StoredList } from '../registry/registry.js';
import type { Resource } from '../resources/resource.js';
import { type Form, negotiate, notAcceptable } from './accept.js';
import { isTrue } from './request.js';
import { bookmarkTable, type IncludeObject, metadataText, tableText } from './table.js';

/** How one request wants to be answered. */
export interface Presentation {
  form: Exclude<Form, { as: 'discovery' }>;
  include: IncludeObject;
  pretty: boolean;
}

const plainJson: Presentation = { form: { as: 'object' }, include: 'Metadata', pretty: false };

/** People who look with these want line breaks, as kube-apiserver decided. */
const humanAgents = /^(?:curl|Wget|Mozilla\/5\.0)/;

/** Throws 406 when the client takes nothing that we have, 422 for an unknown `includeObject`. */
export function presentationOf(
  accept: string | undefined,
  query: URLSearchParams,
  userAgent: string | undefined,
): Presentation {
  const form = negotiate(accept);
  if (form.as === 'discovery') throw badRequest('discovery documents exist at /api and /apis only');
  const human = userAgent !== undefined && humanAgents.test(userAgent);
  if (form.as === 'object' && query.size === 0 && !human) return plainJson;
  const include = query.get('includeObject') || 'Metadata';
  if (form.as === 'table' && include !== 'None' && include !== 'Metadata' && include !== 'Object') {
    const detail = 'supported values: "Metadata", "None", "Object"';
    const error: FieldError = { type: 'NotSupported', field: 'includeObject', value: include, detail };
    throw invalid({ group: 'meta.k8s.io', kind: 'TableOptions', name: '' }, [error]);
  }
  return {
    form,
    include: include as IncludeObject,
    pretty: query.has('pretty') ? isTrue(query, 'pretty') : human,
  };
}

const finish = (text: string, pretty: boolean): Buffer =>
  Buffer.from(pretty ? `${JSON.stringify(JSON.parse(text), null, 2)}\n` : text);

/** As sigs.k8s.io/yaml writes it, which goes by the JSON form: keys in order, nothing folded, no anchors. */
const yamlOf = (json: string): Buffer =>
  Buffer.from(
    stringify(JSON.parse(json), {
      // Texts are quoted that older readers would take for something else.
      compat: 'yaml-1.1',
      lineWidth: 0,
      aliasDuplicateObjects: false,
      sortMapEntries: true,
      indentSeq: false,
    }),
  );

/** What is no stored object: a Status, the answer of a subresource. */
export const encodeText = (json: string, { form, pretty }: Presentation): Buffer =>
  form.as === 'yaml' ? yamlOf(json) : finish(json, pretty);

/** The metadata of an object, owners of fields and all; rows of tables go without those. */
const partialText = ({ bytes, object }: Stored, apiVersion: string): string =>
  withOwners(metadataText(object, apiVersion), managedOf(bytes));

/** What an answer with these bytes is called. */
export const contentTypeOf = ({ form }: Presentation): string =>
  form.as === 'yaml' ? 'application/yaml' : 'application/json';

/** One object. `now` is what ages in tables are counted to. Throws 406 for a table of what is only created: a review has no rows. */
export function encodeObject(resource: Resource, item: Stored, how: Presentation, now: Date): Buffer {
  const { form, include, pretty } = how;
  switch (form.as) {
    case 'object':
      return pretty ? finish(item.bytes.toString('utf8'), true) : item.bytes;
    case 'yaml':
      return yamlOf(item.bytes.toString('utf8'));
    case 'metadata':
      return finish(partialText(item, form.apiVersion), pretty);
    case 'table': {
      if (resource.verbs && !resource.verbs.includes('get'))
        throw notAcceptable('application/json', 'application/yaml');
      const metadata = { resourceVersion: item.object.metadata.resourceVersion };
      const options = { apiVersion: form.apiVersion, include, now, columns: true };
      return finish(tableText(resource, [item], metadata, options), pretty);
    }
  }
}

const comma = Buffer.from(',');
const listEnd = Buffer.from(']}');

export function encodeList(resource: Resource, list: StoredList, how: Presentation, now: Date): Buffer {
  const { form, include, pretty } = how;
  const metadata = {
    resourceVersion: list.resourceVersion,
    ...(list.continue && { continue: list.continue }),
    ...(list.remainingItemCount !== undefined && { remainingItemCount: list.remainingItemCount }),
  };
  switch (form.as) {
    case 'yaml':
    case 'object': {
      const joined = joinItems(
        resource.listKind ?? `${resource.type.kind}List`,
        apiVersionOf(resource.type),
        metadata,
        list.items,
      );
      if (form.as === 'yaml') return yamlOf(joined.toString('utf8'));
      return pretty ? finish(joined.toString('utf8'), true) : joined;
    }
    case 'metadata': {
      const head = JSON.stringify({
        kind: 'PartialObjectMetadataList',
        apiVersion: form.apiVersion,
        metadata,
      }).slice(0, -1);
      const items = list.items.map((item) => partialText(item, form.apiVersion));
      return finish(`${head},"items":[${items.join(',')}]}`, pretty);
    }
    case 'table': {
      const options = { apiVersion: form.apiVersion, include, now, columns: true };
      return finish(tableText(resource, list.items, metadata, options), pretty);
    }
  }
}

function joinItems(kind: string, apiVersion: string, metadata: object, items: readonly Stored[]): Buffer {
  const head = `${JSON.stringify({ kind, apiVersion, metadata }).slice(0, -1)},"items":[`;
  const parts: Buffer[] = [Buffer.from(head)];
  for (const [index, item] of items.entries()) {
    if (index > 0) parts.push(comma);
    parts.push(item.bytes);
  }
  parts.push(listEnd);
  return Buffer.concat(parts);
}

const frameHeads = {
  ADDED: Buffer.from('{"type":"ADDED","object":'),
  MODIFIED: Buffer.from('{"type":"MODIFIED","object":'),
  DELETED: Buffer.from('{"type":"DELETED","object":'),
  BOOKMARK: Buffer.from('{"type":"BOOKMARK","object":'),
  ERROR: Buffer.from('{"type":"ERROR","object":'),
};
const frameEnd = Buffer.from('}\n');

export const frame = (type: keyof typeof frameHeads, object: Buffer): Buffer =>
  Buffer.concat([frameHeads[type], object, frameEnd]);

/** Makes the frames of one watch, in its form; throws 406 for YAML. `plainFrame` is shared by all watchers that want plain JSON. */
export function frameMaker(
  resource: Resource,
  { form, include }: Presentation,
  plainFrame: (event: StoredEvent) => Buffer,
): (event: StoredEvent, now: Date) => Buffer {
  if (form.as === 'object') return plainFrame;
  if (form.as === 'yaml') throw notAcceptable('application/json');
  const { apiVersion } = form;
  let columns = true;
  return (event, now) => {
    if (event.type === 'BOOKMARK') {
      const metadata = bookmarkMetadata(event);
      const text =
        form.as === 'table'
          ? bookmarkTable(apiVersion, metadata)
          : JSON.stringify({ kind: 'PartialObjectMetadata', apiVersion, metadata });
      return frame('BOOKMARK', Buffer.from(text));
    }
    const { item } = event;
    if (form.as === 'metadata') return frame(event.type, Buffer.from(partialText(item, apiVersion)));
    const metadata = { resourceVersion: item.object.metadata.resourceVersion };
    const text = tableText(resource, [item], metadata, { apiVersion, include, now, columns });
    columns = false;
    return frame(event.type, Buffer.from(text));
  };
}

/** The object of a BOOKMARK has its kind and version, and after the initial events the annotation that says so. */
export const bookmarkBytes = (
  resource: Resource,
  event: Extract<StoredEvent, { type: 'BOOKMARK' }>,
): Buffer =>
  Buffer.from(
    JSON.stringify({
      kind: resource.type.kind,
      apiVersion: apiVersionOf(resource.type),
      metadata: bookmarkMetadata(event),
    }),
  );

function bookmarkMetadata(event: Extract<StoredEvent, { type: 'BOOKMARK' }>): { resourceVersion: string } {
  return {
    resourceVersion: event.resourceVersion,
    ...(event.initialEventsEnd && { annotations: { 'k8s.io/initial-events-end': 'true' } }),
  };
}
