/**
 * 8. CRI's messages to bytes and back, from the generated table. Called by client.ts; loads protobufjs.
 *
 * What is decoded has every field: zero values for absent scalars, empty lists and maps, null for absent messages. 64-bit
 * numbers are JavaScript numbers: sizes are exact, times in nanoseconds are right to less than a microsecond.
 */
import protobuf from 'protobufjs/light.js';
import { type Calls, protocolText } from './generated/protocol.js';

/** A message being written: what is left out has its zero value. */
export type Draft<T> = T extends Buffer
  ? Buffer
  : T extends readonly (infer E)[]
    ? readonly Draft<E>[]
    : T extends object
      ? { [K in keyof T]?: Draft<T[K]> | undefined }
      : T;

export interface Codec<C extends keyof Calls> {
  /** `/package.Service/Method` */
  path: string;
  encode(request: Draft<Calls[C][0]>): Buffer;
  decode(bytes: Buffer): Calls[C][1];
}

export interface Protocol {
  codec<C extends keyof Calls>(call: C): Codec<C>;
}

interface Table {
  calls: Record<string, { path: string; request: string; response: string }>;
  messages: Record<string, Record<string, [type: string, id: number, how?: string]>>;
  enums: Record<string, Record<string, number>>;
}

const plain = { longs: Number, enums: String, bytes: Buffer, defaults: true } as const;

export function createProtocol(): Protocol {
  const table: Table = JSON.parse(protocolText);
  // Flat, because a name with dots is as good as a nested one.
  const root = new protobuf.Root();
  const idOf = (name: string): string => name.replaceAll('.', '_');
  for (const [name, values] of Object.entries(table.enums)) root.add(new protobuf.Enum(idOf(name), values));
  for (const [name, fields] of Object.entries(table.messages)) {
    const type = new protobuf.Type(idOf(name));
    for (const [field, [fieldType, id, how]] of Object.entries(fields)) {
      const isScalar = !fieldType.includes('.');
      const resolved = isScalar ? fieldType : idOf(fieldType);
      if (how === undefined) type.add(new protobuf.Field(field, id, resolved));
      else if (how === 'repeated') type.add(new protobuf.Field(field, id, resolved, 'repeated'));
      else type.add(new protobuf.MapField(field, id, how, resolved));
    }
    root.add(type);
  }
  root.resolveAll();
  return {
    codec(call) {
      const row = table.calls[call];
      if (!row) throw new Error(`CRI has no call ${call}`);
      const [request, response] = [root.lookupType(idOf(row.request)), root.lookupType(idOf(row.response))];
      return {
        path: row.path,
        encode: (message) => Buffer.from(request.encode(request.fromObject(message)).finish()),
        decode: (bytes) => response.toObject(response.decode(bytes), plain) as Calls[typeof call][1],
      };
    },
  };
}

/** Field 1 of an event of containerd, which in all of them is the id of what it is about, and field 2. */
export function eventIds(bytes: Buffer): { id: string; second: string } {
  const reader = protobuf.Reader.create(bytes);
  const found = { id: '', second: '' };
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    if (tag === 0x0a) found.id = reader.string();
    else if (tag === 0x12) found.second = reader.string();
    else reader.skipType(tag & 7);
  }
  return found;
}
