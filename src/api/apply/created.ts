/**
 * The `FieldsV1` text of a new object: what `compare` with an empty object finds, written at once without a set in
 * between, since every create needs it. Pure.
 */
import { isMap, type JsonMap } from '../patch/json.js';
import { compareElements, fieldElement } from './fields.js';
import { groupItems, type MergedList } from './items.js';
import { deduced, type Shape, type StructShape } from './shape.js';
import { serverMetadata } from './untracked.js';

/**
 * Without `skip`, and without what the server writes. `{}` when nothing is left. Throws `FieldsError` for lists whose items
 * cannot be told apart.
 */
export function createdText(shape: StructShape, object: object, skip: ReadonlySet<string>): string {
  return membersText(shape, object as JsonMap, { skip, isNew: false, self: '', isRoot: true });
}

interface How {
  skip?: ReadonlySet<string>;
  /** The struct itself is new, so none of its fields was there. */
  isNew: boolean;
  /** `".":{}` for a value that is a field of its own. */
  self: string;
  isRoot?: true;
}

const self = '".":{}';
const item: How = { isNew: true, self };
const ownedMetadata: How = { skip: serverMetadata, isNew: true, self: '' };

function membersText(shape: Shape, value: JsonMap, { skip, isNew, self: own, isRoot }: How): string {
  let text = `{${own}`;
  for (const name of sortedNames(value, skip)) {
    const member = value[name];
    const field = shape.kind === 'struct' ? shape.fields.get(name) : undefined;
    const below = field?.shape ?? (shape.kind === 'map' ? shape.item : deduced);
    const part =
      isRoot && name === 'metadata'
        ? metadataText(below, member)
        : field?.always && !isNew && member !== null
          ? partText(below, member)
          : wholeText(below, member);
    if (part === '') continue;
    if (text.length > 1) text += ',';
    text += field ? field.text : `${JSON.stringify(fieldElement(name))}:`;
    text += part;
  }
  return `${text}}`;
}

function metadataText(shape: Shape, value: unknown): string {
  const text = isMap(value) ? membersText(shape, value, ownedMetadata) : '{}';
  return text === '{}' ? '' : text;
}

/** Of the members that count; sorted where they are not: most writers send them so. */
function sortedNames(value: JsonMap, skip: ReadonlySet<string> | undefined): string[] {
  const names: string[] = [];
  for (const name in value) if (value[name] !== undefined && !skip?.has(name)) names.push(name);
  for (let i = 1; i < names.length; i++) if ((names[i - 1] ?? '') > (names[i] ?? '')) return names.sort();
  return names;
}

/** Of a struct or list that was there, empty; `''` where nothing was added to it. */
function partText(shape: Shape, value: unknown): string {
  const text =
    shape.kind === 'struct' && isMap(value)
      ? membersText(shape, value, { isNew: false, self: '' })
      : shape.kind === 'keyed' || shape.kind === 'set'
        ? itemsText(shape, value, '')
        : wholeText(shape, value);
  return text === '{}' && (shape.kind === 'struct' || Array.isArray(value)) ? '' : text;
}

function wholeText(shape: Shape, value: unknown): string {
  switch (shape.kind) {
    case 'struct':
    case 'map':
    case 'deduced':
      return isMap(value) ? emptied(membersText(shape, value, item)) : '{}';
    case 'set':
    case 'keyed':
      return emptied(itemsText(shape, value, self));
    default:
      return '{}';
  }
}

/** What has nothing below is a field without more ado. */
const emptied = (text: string): string => (text === `{${self}}` ? '{}' : text);

function itemsText(shape: MergedList, value: unknown, own: string): string {
  if (!Array.isArray(value)) return `{${own}}`;
  const groups = groupItems(shape, value);
  const elements = [...groups.keys()];
  if (elements.length > 1) elements.sort(compareElements);
  let text = `{${own}`;
  for (const element of elements) {
    const items = groups.get(element) ?? [];
    if (text.length > 1) text += ',';
    text += `${JSON.stringify(element)}:${items.length > 1 ? '{}' : wholeText(shape.item, items[0])}`;
  }
  return `${text}}`;
}
