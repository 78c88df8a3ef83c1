/**
 * Reads what the schema generator needs from one Kubernetes Go package: the structs of its type files with their
 * tags and comment markers, and the messages of its `generated.proto`. Called by `generate-schema.ts` only.
 *
 * A line reader, not a Go parser: gofmt and the code generators keep these files in one shape, and the generator
 * checks every field against the proto message, so a misread line fails loudly.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface GoField {
  /** JSON name; '' for an inlined struct. */
  json: string;
  goType: string;
  optional: boolean;
  /** Protobuf field number; undefined where the field is not on the protobuf wire. */
  number: number | undefined;
  tags: Record<string, string>;
  markers: Record<string, string[]>;
}

export interface GoType {
  name: string;
  /** The struct's fields, or undefined for `type Name Other`. */
  fields: GoField[] | undefined;
  alias: string | undefined;
  markers: Record<string, string[]>;
}

export interface ProtoField {
  name: string;
  number: number;
  type: string;
  label: string;
}

export interface GoPackage {
  types: Map<string, GoType>;
  /** Import alias -> import path. */
  imports: Map<string, string>;
  messages: Map<string, Map<number, ProtoField>>;
  /** Values of the constants of a named string type. */
  constants: Map<string, string[]>;
}

/** Comment markers (`+listType=map`) of the comment lines above a declaration. */
function markersOf(comments: readonly string[]): Record<string, string[]> {
  const markers: Record<string, string[]> = {};
  for (const line of comments) {
    const match = /^\+([\w:.-]+)(?:=(.*))?$/.exec(line);
    if (match?.[1]) markers[match[1]] = [...(markers[match[1]] ?? []), (match[2] ?? '').trim()];
  }
  return markers;
}

function tagsOf(text: string): Record<string, string> {
  return Object.fromEntries([...text.matchAll(/(\w+):"([^"]*)"/g)].map((m) => [m[1] ?? '', m[2] ?? '']));
}

function fieldOf(line: string, comments: readonly string[]): GoField | undefined {
  const match = /^\s+(?:(\w+)\s+)?([\w.*[\]{}]+)\s+`(.*)`/.exec(line);
  if (!match) return undefined;
  const tags = tagsOf(match[3] ?? '');
  const [name = '', ...options] = (tags['json'] ?? match[1] ?? '').split(',');
  if (tags['json'] === undefined && tags['protobuf'] === undefined) return undefined;
  const markers = markersOf(comments);
  const number = Number((tags['protobuf'] ?? '').split(',')[1]);
  return {
    json: options.includes('inline') ? '' : name,
    goType: match[2] ?? '',
    optional: options.includes('omitempty') || options.includes('omitzero') || 'optional' in markers,
    number: Number.isInteger(number) && number > 0 ? number : undefined,
    tags,
    markers,
  };
}

function readGoFile(text: string, into: GoPackage): void {
  let comments: string[] = [];
  let current: GoType | undefined;
  let importing = false;
  for (const line of text.split('\n')) {
    const comment = /^\s*\/\/ ?(.*)$/.exec(line);
    if (comment) {
      comments.push((comment[1] ?? '').trim());
      continue;
    }
    if (line === 'import (') importing = true;
    else if (line === ')') importing = false;
    const imported = (importing ? /^\s+(\w+ )?"([^"]+)"/ : /^import (\w+ )?"([^"]+)"/).exec(line);
    if (imported?.[2]) {
      into.imports.set(
        imported[1]?.trim() ?? imported[2].slice(imported[2].lastIndexOf('/') + 1),
        imported[2],
      );
      continue;
    }
    const constant = /^\s+\w+\s+(\w+)\s+= "([^"]*)"/.exec(line);
    if (constant?.[1] && !current) {
      into.constants.set(constant[1], [...(into.constants.get(constant[1]) ?? []), constant[2] ?? '']);
    }
    const declared = /^type (\w+) (=\s*)?(\S.*)$/.exec(line);
    if (declared?.[1] && declared[3]) {
      const isStruct = declared[3].startsWith('struct');
      const type: GoType = {
        name: declared[1],
        fields: isStruct ? [] : undefined,
        alias: isStruct ? undefined : declared[3].trim(),
        markers: markersOf(comments),
      };
      into.types.set(type.name, type);
      current = isStruct && !declared[3].endsWith('}') ? type : undefined;
      comments = [];
      continue;
    }
    if (line === '}') current = undefined;
    const field = current ? fieldOf(line, comments) : undefined;
    if (field) current?.fields?.push(field);
    if (field || (!current && line.trim() !== '')) comments = [];
  }
}

function readProto(text: string): GoPackage['messages'] {
  const messages: GoPackage['messages'] = new Map();
  let current: Map<number, ProtoField> | undefined;
  for (const line of text.split('\n')) {
    const message = /^message (\w+) \{/.exec(line);
    if (message?.[1]) {
      current = new Map();
      messages.set(message[1], current);
    }
    const field = /^\s+(?:(optional|repeated|required) )?(map<[^>]+>|[.\w]+) (\w+) = (\d+)(?: \[.*\])?;/.exec(
      line,
    );
    if (field && current) {
      const number = Number(field[4]);
      current.set(number, { name: field[3] ?? '', number, type: field[2] ?? '', label: field[1] ?? '' });
    }
  }
  return messages;
}

/** Reads `types*.go` and `generated.proto` of the package folder. */
export function readPackage(folder: string): GoPackage {
  const into: GoPackage = { types: new Map(), imports: new Map(), messages: new Map(), constants: new Map() };
  const files = readdirSync(folder).filter(
    (f) => /^types(_\w+)?\.go$/.test(f) && !/_test|swagger_doc/.test(f),
  );
  for (const file of files.sort()) readGoFile(readFileSync(join(folder, file), 'utf8'), into);
  into.messages = readProto(readFileSync(join(folder, 'generated.proto'), 'utf8'));
  return into;
}
