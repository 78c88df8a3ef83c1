/**
 * Writes `agent/runtime/cri/generated/protocol.ts`: the messages of CRI v1, and of containerd where CRI has no call, as a
 * protobufjs descriptor and as TypeScript types. Run by hand, with the folder into which the Debian packages
 * golang-github-kubernetes-cri-api-dev and golang-github-containerd-containerd-dev are unpacked:
 *
 *   node --import tsx scripts/generate-cri.ts <folder>/usr/share/gocode/src
 *
 * Takes facts only (names, types, numbers): of the methods listed here, and what they are made of. Nothing for Windows,
 * nothing deprecated, no options.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import protobuf from 'protobufjs';

const containerd = 'github.com/containerd/containerd/api';
const files = [
  'k8s.io/cri-api/pkg/apis/runtime/v1/api.proto',
  `${containerd}/services/events/v1/events.proto`,
  `${containerd}/services/content/v1/content.proto`,
  `${containerd}/services/images/v1/images.proto`,
  `${containerd}/services/tasks/v1/tasks.proto`,
  `${containerd}/types/descriptor.proto`,
  `${containerd}/types/task/task.proto`,
];

/** Service by service, what the runtime calls. */
const wanted: Record<string, readonly string[]> = {
  'runtime.v1.RuntimeService': [
    ...['Version', 'Status', 'RuntimeConfig', 'GetContainerEvents'],
    ...['RunPodSandbox', 'StopPodSandbox', 'RemovePodSandbox', 'PodSandboxStatus', 'ListPodSandbox'],
    ...['CreateContainer', 'StartContainer', 'StopContainer', 'RemoveContainer', 'ListContainers'],
    ...['ContainerStatus', 'UpdateContainerResources', 'ReopenContainerLog', 'Exec', 'Attach'],
    ...['ContainerStats', 'ListContainerStats'],
  ],
  'runtime.v1.ImageService': ['ListImages', 'ImageStatus', 'PullImage', 'RemoveImage', 'ImageFsInfo'],
  'containerd.services.events.v1.Events': ['Subscribe'],
  'containerd.services.content.v1.Content': ['Write'],
  'containerd.services.images.v1.Images': ['Create'],
  'containerd.services.tasks.v1.Tasks': ['ListPids'],
};

/** Fields of later versions than the package's; numbers are for good. */
const additions: Record<string, Record<string, [type: string, number: number]>> = {
  'runtime.v1.Mount': { imageSubPath: ['string', 10] },
};

const root = new protobuf.Root();
const source = process.argv[2];
if (!source) throw new Error('usage: generate-cri.ts <folder of Go packages>');
for (const file of files) {
  // A weak import is a habit of gogoproto that the parser does not know; nothing of it is used.
  const text = readFileSync(join(source, file), 'utf8').replace(/^import weak .*$/gm, '');
  protobuf.parse(text, root);
}
root.add(new protobuf.Namespace('google').add(wellKnown()));
for (const [name, fields] of Object.entries(additions)) {
  for (const [field, [type, id]] of Object.entries(fields)) {
    root.lookupType(name).add(new protobuf.Field(field, id, type));
  }
}

function wellKnown(): protobuf.Namespace {
  const any = new protobuf.Type('Any');
  any.add(new protobuf.Field('typeUrl', 1, 'string')).add(new protobuf.Field('value', 2, 'bytes'));
  const time = new protobuf.Type('Timestamp');
  time.add(new protobuf.Field('seconds', 1, 'int64')).add(new protobuf.Field('nanos', 2, 'int32'));
  return new protobuf.Namespace('protobuf').add(any).add(time);
}

const nameOf = (object: protobuf.ReflectionObject): string => object.fullName.replace(/^\./, '');

/** `runtime.v1.Mount` is `Mount`; what is containerd's says so. */
const tsName = (fullName: string): string => {
  const short = fullName.replace(/^(runtime\.v1|google\.protobuf)\./, '');
  return /^containerd\./.test(short) ? `Containerd${short.split('.').at(-1)}` : short.replaceAll('.', '');
};

const isWanted = (field: protobuf.Field): boolean =>
  !field.type.startsWith('Windows') && field.options?.['deprecated'] !== true;

const messages = new Map<string, protobuf.Type>();
const enums = new Map<string, protobuf.Enum>();

function reach(type: protobuf.Type): void {
  const name = nameOf(type);
  if (messages.has(name)) return;
  messages.set(name, type);
  for (const field of type.fieldsArray.filter(isWanted)) {
    field.resolve();
    if (field.resolvedType instanceof protobuf.Type) reach(field.resolvedType);
    if (field.resolvedType instanceof protobuf.Enum)
      enums.set(nameOf(field.resolvedType), field.resolvedType);
  }
}

interface Call {
  name: string;
  path: string;
  request: string;
  response: string;
}

const calls: Call[] = Object.entries(wanted).flatMap(([service, names]) =>
  names.map((name) => {
    const method = root.lookupService(service).methods[name];
    method?.resolve();
    if (!method?.resolvedRequestType || !method.resolvedResponseType)
      throw new Error(`${service} has no ${name}`);
    reach(method.resolvedRequestType);
    reach(method.resolvedResponseType);
    const prefix = service.startsWith('containerd.') ? (service.split('.').at(-1) ?? '') : '';
    return {
      name: prefix === '' ? `${name[0]?.toLowerCase()}${name.slice(1)}` : `${prefix.toLowerCase()}${name}`,
      path: `/${service}/${name}`,
      request: nameOf(method.resolvedRequestType),
      response: nameOf(method.resolvedResponseType),
    };
  }),
);

const resolvedName = (field: protobuf.Field): string =>
  field.resolvedType ? nameOf(field.resolvedType) : field.type;

/** `[type, number]`, with `repeated` or the key's type of a map as a third. Types by their full name. */
function fieldRow(field: protobuf.Field): unknown[] {
  const row = [resolvedName(field), field.id];
  if (field instanceof protobuf.MapField) return [...row, field.keyType];
  return field.repeated ? [...row, 'repeated'] : row;
}

const table = {
  messages: Object.fromEntries(
    [...messages].map(([name, type]) => [
      name,
      Object.fromEntries(type.fieldsArray.filter(isWanted).map((field) => [field.name, fieldRow(field)])),
    ]),
  ),
  enums: Object.fromEntries([...enums].map(([name, { values }]) => [name, values])),
};

const scalars: Record<string, string> = { string: 'string', bool: 'boolean', bytes: 'Buffer' };

function tsType(field: protobuf.Field): string {
  const { resolvedType } = field;
  const one = resolvedType ? tsName(nameOf(resolvedType)) : (scalars[field.type] ?? 'number');
  if (field instanceof protobuf.MapField) return `Record<string, ${one}>`;
  if (field.repeated) return `${one}[]`;
  return resolvedType instanceof protobuf.Type ? `${one} | null` : one;
}

const interfaces = [...messages].map(([name, type]) => {
  const fields = type.fieldsArray.filter(isWanted).map((field) => `  ${field.name}: ${tsType(field)};\n`);
  return fields.length === 0
    ? `export type ${tsName(name)} = Record<string, never>;\n`
    : `export interface ${tsName(name)} {\n${fields.join('')}}\n`;
});
const unions = [...enums].map(
  ([name, { values }]) =>
    `export type ${tsName(name)} = ${Object.keys(values)
      .map((value) => `'${value}'`)
      .join(' | ')};\n`,
);
const callTypes = calls.map(
  ({ name, request, response }) => `  ${name}: [${tsName(request)}, ${tsName(response)}];\n`,
);
const text = JSON.stringify({
  calls: Object.fromEntries(calls.map(({ name, ...call }) => [name, call])),
  ...table,
});
if (/[`\\]|\$\{/.test(text)) throw new Error('the table needs escaping');

writeFileSync(
  join(import.meta.dirname, '../agent/runtime/cri/generated/protocol.ts'),
  `// Written by scripts/generate-cri.ts from cri-api 0.32.3 (the Kubernetes authors) and the API of containerd 1.6.20 (the
// containerd authors), both under the Apache License 2.0. Do not edit. Read by ../protocol.ts.

/** Request and response of each call. */
export interface Calls {
${callTypes.join('')}}

${unions.join('\n')}
${interfaces.join('\n')}
export const protocolText = \`${text.replaceAll('},"', '},\n"')}\`;
`,
);
