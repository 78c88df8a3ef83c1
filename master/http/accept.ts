/**
 * 1. Content negotiation: the Accept header -> how an answer looks. Pure.
 *
 * We answer JSON: plain, as a Table, or as PartialObjectMetadata, or plain objects in YAML, whichever acceptable form
 * the client prefers. One that lists protobuf first and JSON after it gets JSON; one that takes neither JSON nor YAML
 * gets 406.
 */
import { ApiError } from '../../src/api/errors.js';

export type Form =
  | { as: 'object' }
  /** Plain objects and lists, written as YAML; there are no watches of it. */
  | { as: 'yaml' }
  | { as: 'table'; apiVersion: string }
  | { as: 'metadata'; apiVersion: string }
  /** Aggregated discovery. */
  | { as: 'discovery'; version: 'v2' | 'v2beta1' };

interface MediaRange {
  type: string;
  parameters: ReadonlyMap<string, string>;
  quality: number;
}

const plain: Form = { as: 'object' };

export const notAcceptable = (...accepted: readonly string[]): ApiError =>
  new ApiError('NotAcceptable', `only the following media types are accepted: ${accepted.join(', ')}`);

/** Answers the preferred form among those we can make. Throws 406 when there is none. */
export function negotiate(accept: string | undefined): Form {
  if (accept === undefined || accept === '' || accept === 'application/json' || accept === '*/*')
    return plain;
  for (const range of parseAccept(accept)) {
    const form = formOf(range);
    if (form) return form;
  }
  throw notAcceptable('application/json', 'application/yaml');
}

/** True when one of the ranges takes `type`; for documents that exist in several encodings. */
export const accepts = (accept: string | undefined, type: string): boolean =>
  parseAccept(accept ?? '').some((range) => range.type === type);

/** Best first: by quality, then as listed. Ranges with `q=0` are left out. */
function parseAccept(accept: string): MediaRange[] {
  const ranges: MediaRange[] = [];
  for (const part of accept.split(',')) {
    const [type = '', ...rest] = part.split(';');
    const parameters = new Map<string, string>();
    for (const item of rest) {
      const equals = item.indexOf('=');
      if (equals > 0)
        parameters.set(item.slice(0, equals).trim().toLowerCase(), item.slice(equals + 1).trim());
    }
    const quality = Number(parameters.get('q') ?? 1);
    if (quality > 0) ranges.push({ type: type.trim().toLowerCase(), parameters, quality });
  }
  return ranges.sort((a, b) => b.quality - a.quality);
}

function formOf({ type, parameters }: MediaRange): Form | undefined {
  if (type === '*/*' || type === 'application/*') return plain;
  const as = parameters.get('as');
  if (type === 'application/yaml' && as === undefined) return { as: 'yaml' };
  if (type !== 'application/json') return undefined;
  if (as === undefined) return plain;
  const group = parameters.get('g');
  const version = parameters.get('v') ?? '';
  if (group === 'meta.k8s.io' && (version === 'v1' || version === 'v1beta1')) {
    const apiVersion = `${group}/${version}`;
    if (as === 'Table') return { as: 'table', apiVersion };
    if (as === 'PartialObjectMetadata' || as === 'PartialObjectMetadataList')
      return { as: 'metadata', apiVersion };
  }
  if (
    group === 'apidiscovery.k8s.io' &&
    as === 'APIGroupDiscoveryList' &&
    (version === 'v2' || version === 'v2beta1')
  ) {
    return { as: 'discovery', version };
  }
  return undefined;
}
