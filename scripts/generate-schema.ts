/**
 * Writes `src/api/generated/` (TypeScript types and the schema table) from the Go packages of Kubernetes. Run by hand:
 * `node --import tsx scripts/generate-schema.ts <folder that contains api, apimachinery, ...>`.
 *
 * Takes facts only (names, types, numbers, markers), never descriptions. Every field with a protobuf number is
 * checked against `generated.proto`; a difference stops the run.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type GoField, type GoPackage, type GoType, readPackage } from './generate-schema-go.js';

/** The packages, in the order in which they win a type name. */
interface PackageRow {
  path: string;
  group: string;
  version: string;
  prefix: string;
  /** Only these kinds, and what they are made of; everything when absent. */
  roots?: string[];
}

const packages: PackageRow[] = [
  { path: 'apimachinery/pkg/apis/meta/v1', group: 'meta.k8s.io', version: 'v1', prefix: 'Meta' },
  { path: 'api/core/v1', group: '', version: 'v1', prefix: 'Core' },
  { path: 'api/apps/v1', group: 'apps', version: 'v1', prefix: 'Apps' },
  { path: 'api/batch/v1', group: 'batch', version: 'v1', prefix: 'Batch' },
  { path: 'api/autoscaling/v2', group: 'autoscaling', version: 'v2', prefix: 'AutoscalingV2' },
  { path: 'api/autoscaling/v1', group: 'autoscaling', version: 'v1', prefix: 'AutoscalingV1' },
  { path: 'api/policy/v1', group: 'policy', version: 'v1', prefix: 'Policy' },
  { path: 'api/networking/v1', group: 'networking.k8s.io', version: 'v1', prefix: 'Networking' },
  { path: 'api/discovery/v1', group: 'discovery.k8s.io', version: 'v1', prefix: 'Discovery' },
  { path: 'api/events/v1', group: 'events.k8s.io', version: 'v1', prefix: 'EventsV1' },
  { path: 'api/coordination/v1', group: 'coordination.k8s.io', version: 'v1', prefix: 'Coordination' },
  { path: 'api/storage/v1', group: 'storage.k8s.io', version: 'v1', prefix: 'Storage' },
  { path: 'api/rbac/v1', group: 'rbac.authorization.k8s.io', version: 'v1', prefix: 'Rbac' },
  { path: 'api/authentication/v1', group: 'authentication.k8s.io', version: 'v1', prefix: 'Authentication' },
  { path: 'api/authorization/v1', group: 'authorization.k8s.io', version: 'v1', prefix: 'Authorization' },
  { path: 'api/certificates/v1', group: 'certificates.k8s.io', version: 'v1', prefix: 'Certificates' },
  { path: 'api/scheduling/v1', group: 'scheduling.k8s.io', version: 'v1', prefix: 'Scheduling' },
  { path: 'api/node/v1', group: 'node.k8s.io', version: 'v1', prefix: 'NodeV1' },
  {
    path: 'api/admissionregistration/v1',
    group: 'admissionregistration.k8s.io',
    version: 'v1',
    prefix: 'Admissionregistration',
  },
  {
    path: 'apiextensions-apiserver/pkg/apis/apiextensions/v1',
    group: 'apiextensions.k8s.io',
    version: 'v1',
    prefix: 'Apiextensions',
  },
  {
    path: 'kube-aggregator/pkg/apis/apiregistration/v1',
    group: 'apiregistration.k8s.io',
    version: 'v1',
    prefix: 'Apiregistration',
  },
  {
    path: 'metrics/pkg/apis/metrics/v1beta1',
    group: 'metrics.k8s.io',
    version: 'v1beta1',
    prefix: 'Metrics',
  },
  // Old versions that manifests still carry; served by conversion.
  old('extensions/v1beta1', 'extensions', 'Extensions', ['Ingress', 'IngressList']),
  old('networking/v1beta1', 'networking.k8s.io', 'NetworkingV1beta1', [
    'Ingress',
    'IngressList',
    'IngressClass',
    'IngressClassList',
  ]),
  old('batch/v1beta1', 'batch', 'BatchV1beta1', ['CronJob', 'CronJobList']),
  old('policy/v1beta1', 'policy', 'PolicyV1beta1', [
    'PodDisruptionBudget',
    'PodDisruptionBudgetList',
    'Eviction',
  ]),
  old('discovery/v1beta1', 'discovery.k8s.io', 'DiscoveryV1beta1', ['EndpointSlice', 'EndpointSliceList']),
  old('events/v1beta1', 'events.k8s.io', 'EventsV1beta1', ['Event', 'EventList']),
  old('autoscaling/v2beta2', 'autoscaling', 'AutoscalingV2beta2', [
    'HorizontalPodAutoscaler',
    'HorizontalPodAutoscalerList',
  ]),
];

function old(path: string, group: string, prefix: string, roots: string[]): PackageRow {
  return { path: `api/${path}`, group, version: path.slice(path.indexOf('/') + 1), prefix, roots };
}

/** The names of a package's types that its roots need, themselves included. */
function needed(go: GoPackage, roots: readonly string[]): Set<string> {
  const found = new Set<string>();
  const queue = [...roots];
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    const type = go.types.get(name);
    if (!type || found.has(name)) continue;
    found.add(name);
    const texts = [type.alias ?? '', ...(type.fields ?? []).map((field) => field.goType)];
    queue.push(...texts.flatMap((text) => text.match(/\b[A-Z]\w*/g) ?? []));
  }
  return found;
}

/** Go types with a JSON form of their own, as a schema type and as TypeScript. */
const scalars: Record<string, { ir: string; ts: string }> = {
  string: { ir: 'string', ts: 'string' },
  bool: { ir: 'bool', ts: 'boolean' },
  int: { ir: 'int64', ts: 'number' },
  int32: { ir: 'int32', ts: 'number' },
  int64: { ir: 'int64', ts: 'number' },
  float64: { ir: 'double', ts: 'number' },
  '[]byte': { ir: 'bytes', ts: 'string' },
  'interface{}': { ir: 'any', ts: 'unknown' },
  'k8s.io/apimachinery/pkg/types.UID': { ir: 'string', ts: 'string' },
  'k8s.io/apimachinery/pkg/api/resource.Quantity': { ir: 'Quantity', ts: 'Quantity' },
  'k8s.io/apimachinery/pkg/util/intstr.IntOrString': { ir: 'IntOrString', ts: 'IntOrString' },
  'k8s.io/apimachinery/pkg/runtime.RawExtension': { ir: 'RawExtension', ts: 'unknown' },
  'k8s.io/apimachinery/pkg/apis/meta/v1.Time': { ir: 'Time', ts: 'string' },
  'k8s.io/apimachinery/pkg/apis/meta/v1.MicroTime': { ir: 'MicroTime', ts: 'string' },
  'k8s.io/apimachinery/pkg/apis/meta/v1.Duration': { ir: 'Duration', ts: 'string' },
  'k8s.io/apimachinery/pkg/apis/meta/v1.FieldsV1': { ir: 'FieldsV1', ts: 'Record<string, unknown>' },
  'k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1.JSON': { ir: 'JSON', ts: 'unknown' },
};

/** Schema unions that are plain JSON on the wire: their own (un)marshalling replaces the struct. */
const unions: Record<string, string> = {
  JSONSchemaPropsOrBool: 'JSONSchemaProps | boolean',
  JSONSchemaPropsOrArray: 'JSONSchemaProps | JSONSchemaProps[]',
  JSONSchemaPropsOrStringArray: 'JSONSchemaProps | string[]',
};

/** Not objects of the API: Go-only helpers, and types with a scalar form. */
const skipped = new Set([
  'InternalEvent',
  'TypeMeta',
  'Time',
  'MicroTime',
  'Duration',
  'FieldsV1',
  'JSON',
  'List:core',
]);

export interface ModelType {
  /** TypeScript name, unique over all packages. */
  name: string;
  goName: string;
  packageIndex: number;
  go: GoType;
}

export class Model {
  readonly packages: (PackageRow & { go: GoPackage })[];
  readonly types: ModelType[] = [];
  /** `type RestartPolicy string` and the like: scalars, lists and maps with a Go name. */
  readonly aliases: ModelType[] = [];
  readonly #names = new Map<string, string>();
  readonly #aliasNames = new Map<string, string>();

  constructor(root: string) {
    this.packages = packages.map((row) => {
      const go = readPackage(join(root, row.path));
      const wanted = row.roots && needed(go, row.roots);
      for (const name of wanted ? [...go.types.keys()] : []) if (!wanted?.has(name)) go.types.delete(name);
      return { ...row, go };
    });
    const taken = new Set<string>();
    for (const [packageIndex, row] of this.packages.entries()) {
      for (const go of row.go.types.values()) {
        const isMessage = row.go.messages.has(go.name);
        if (!go.fields && !isMessage) continue;
        if (skipped.has(go.name) || (go.name === 'List' && row.path === 'api/core/v1')) continue;
        if (go.fields && !isMessage && !go.fields.some((f) => f.json !== '' || f.goType.endsWith('Meta')))
          continue;
        const name = taken.has(go.name) ? row.prefix + go.name : go.name;
        if (taken.has(name)) throw new Error(`type name ${name} is taken twice`);
        taken.add(name);
        this.#names.set(`${row.path}.${go.name}`, name);
        this.types.push({ name, goName: go.name, packageIndex, go });
      }
    }
    for (const [packageIndex, row] of this.packages.entries()) {
      for (const go of row.go.types.values()) {
        if (
          go.fields ||
          row.go.messages.has(go.name) ||
          go.alias === 'metav1.List' ||
          go.alias === 'watch.Event'
        )
          continue;
        const name = taken.has(go.name) ? row.prefix + go.name : go.name;
        if (taken.has(name)) throw new Error(`type name ${name} is taken twice`);
        taken.add(name);
        this.#aliasNames.set(`${row.path}.${go.name}`, name);
        this.aliases.push({ name, goName: go.name, packageIndex, go });
      }
    }
  }

  /**
   * Resolves a Go type, as written in package `index`, to a schema type: `[]Container`, `{}Quantity`, `string`.
   * Named scalars resolve to what they stand for, or stay named with `keepAliases`.
   */
  resolve(goType: string, index: number, keepAliases = false): string {
    const resolve = (type: string, at = index): string => this.resolve(type, at, keepAliases);
    if (goType.startsWith('*')) return resolve(goType.slice(1));
    const scalar = scalars[goType];
    if (scalar) return scalar.ir;
    if (goType.startsWith('[]')) return `[]${resolve(goType.slice(2))}`;
    const map = /^map\[([\w.]+)\](.+)$/.exec(goType);
    if (map?.[2]) return `{}${resolve(map[2])}`;
    const row = this.packages[index];
    if (!row) throw new Error(`no package ${index}`);
    const dot = goType.indexOf('.');
    const path = dot < 0 ? `k8s.io/${row.path}` : row.go.imports.get(goType.slice(0, dot));
    const name = goType.slice(dot + 1);
    const foreign = scalars[`${path}.${name}`];
    if (foreign) return foreign.ir;
    const target = this.packages.findIndex((p) => `k8s.io/${p.path}` === path);
    const key = `${path?.slice('k8s.io/'.length)}.${name}`;
    const named = this.#names.get(key) ?? (keepAliases ? this.#aliasNames.get(key) : undefined);
    if (named) return named;
    const alias = this.packages[target]?.go.types.get(name)?.alias;
    if (alias) return resolve(alias, target);
    throw new Error(`unknown Go type ${goType} in ${row.path}`);
  }

  isTopLevel(type: ModelType): boolean {
    return type.go.fields?.some((f) => f.json === '' && /(^|\.)TypeMeta$/.test(f.goType)) ?? false;
  }
}

function tsType(ir: string): string {
  if (ir.startsWith('[]')) {
    const item = tsType(ir.slice(2));
    return item.includes('|') ? `(${item})[]` : `${item}[]`;
  }
  if (ir.startsWith('{}')) return `Record<string, ${tsType(ir.slice(2))}>`;
  return Object.values(scalars).find((s) => s.ir === ir)?.ts ?? ir;
}

/** The fields of a struct with inlined structs flattened into it. */
function flatFields(model: Model, type: ModelType): { field: GoField; ir: string }[] {
  return (type.go.fields ?? []).flatMap((field) => {
    if (field.json === '-') return [];
    if (field.json !== '') return [{ field, ir: model.resolve(field.goType, type.packageIndex) }];
    if (/(^|\.)TypeMeta$/.test(field.goType)) return [];
    const inlined = model.types.find((t) => t.name === model.resolve(field.goType, type.packageIndex));
    if (!inlined) throw new Error(`${type.name}: cannot inline ${field.goType}`);
    return flatFields(model, inlined);
  });
}

function tsInterface(model: Model, type: ModelType): string {
  const union = unions[type.goName];
  if (union) return `export type ${type.name} = ${union};\n`;
  if (!type.go.fields)
    return `export type ${type.name} = ${tsType(model.resolve(type.go.alias ?? '', type.packageIndex))};\n`;
  const top = model.isTopLevel(type);
  const lines = top ? ['  apiVersion?: string | undefined;', '  kind?: string | undefined;'] : [];
  for (const { field, ir } of flatFields(model, type)) {
    const name = /^\w+$/.test(field.json) ? field.json : `'${field.json}'`;
    const required = !field.optional || (top && field.json === 'metadata');
    lines.push(required ? `  ${name}: ${tsType(ir)};` : `  ${name}?: ${tsType(ir)} | undefined;`);
  }
  return `export interface ${type.name} {\n${lines.join('\n')}\n}\n`;
}

function typesFile(model: Model): string {
  const parts = model.packages.map((row, index) => {
    const types = model.types.filter((t) => t.packageIndex === index).map((t) => tsInterface(model, t));
    return `// ${row.group === '' ? 'core' : row.group}/${row.version}\n\n${types.join('\n')}`;
  });
  const head = `// Written by scripts/generate-schema.ts from the Kubernetes 0.36.4 Go packages. Do not edit.\n
/** Such as \`100m\` or \`1Gi\`; see quantity.ts. */\nexport type Quantity = string;
/** A port number or name, or a number or percentage; see intorstring.ts. */\nexport type IntOrString = number | string;\n\n`;
  return head + parts.join('\n');
}

/** What the protobuf definition must say for a schema type, without the package of a message. */
function protoType(model: Model, ir: string): string {
  if (ir.startsWith('[]')) return `repeated ${protoType(model, ir.slice(2))}`;
  if (ir.startsWith('{}')) return `map<string, ${protoType(model, ir.slice(2))}>`;
  return model.types.find((t) => t.name === ir)?.goName ?? ir;
}

/** Stops the run when the fields of a message and of the Go struct are not the same. */
function checkAgainstProto(model: Model, type: ModelType): void {
  const message = model.packages[type.packageIndex]?.go.messages.get(type.goName);
  if (!message || !type.go.fields) return;
  const numbers = new Set<number>();
  for (const field of type.go.fields) {
    if (field.number === undefined) continue;
    numbers.add(field.number);
    const found = message.get(field.number);
    const bare = found?.type.replace(/\.?k8s\.io\.[\w.]+\.(\w+)/g, '$1') ?? 'nothing';
    const actual = found?.label === 'repeated' ? `repeated ${bare}` : bare;
    const expected = protoType(model, model.resolve(field.goType, type.packageIndex));
    if (actual !== expected) throw new Error(`${type.name}.${field.json}: proto ${actual}, Go ${expected}`);
  }
  const missing = [...message.keys()].filter((n) => !numbers.has(n));
  if (missing.length > 0) throw new Error(`${type.name}: proto fields ${missing} are not in the Go struct`);
}

/** Optional fields whose zero is not the same as absent: Go has a pointer, or prints the zero. */
function keepsZero(model: Model, type: ModelType, field: GoField): boolean {
  const ir = model.resolve(field.goType, type.packageIndex);
  const hasZero = ['string', 'bool', 'int32', 'int64', 'double', 'bytes', 'IntOrString'].includes(ir);
  const isPrinted = !/,omit(empty|zero)/.test(field.tags['json'] ?? '');
  return field.optional && hasZero && (field.goType.startsWith('*') || isPrinted);
}

/** `[type, protobuf number or 0, required, {options}?]`; the options are explained in `src/api/schema/table.ts`. */
function fieldRow(model: Model, type: ModelType, field: GoField): unknown[] {
  const marker = (name: string) => field.markers[name]?.[0];
  const literal = marker('default');
  const listKeys = field.markers['listMapKey'];
  const options = {
    ...(marker('listType') && { l: marker('listType') }),
    ...(listKeys && { k: listKeys }),
    ...(field.tags['patchStrategy'] && { s: field.tags['patchStrategy'] }),
    ...(field.tags['patchMergeKey'] && { m: field.tags['patchMergeKey'] }),
    ...((marker('mapType') === 'atomic' || marker('structType') === 'atomic') && { a: 1 }),
    ...(literal && !literal.startsWith('ref(') && { d: JSON.parse(literal) }),
    ...(keepsZero(model, type, field) && { z: 1 }),
  };
  const row = [
    model.resolve(field.goType, type.packageIndex, true),
    field.number ?? 0,
    field.optional ? 0 : 1,
  ];
  return Object.keys(options).length > 0 ? [...row, options] : row;
}

function typeRow(model: Model, type: ModelType): Record<string, unknown> {
  const fields = (type.go.fields ?? []).filter((f) => f.json !== '-');
  const inlined = fields.filter((f) => f.json === '' && !/(^|\.)TypeMeta$/.test(f.goType));
  const constants = model.packages[type.packageIndex]?.go.constants.get(type.goName);
  return {
    p: type.packageIndex,
    ...(type.name !== type.goName && { g: type.goName }),
    ...(model.isTopLevel(type) && { o: 1 }),
    ...(unions[type.goName] && { u: 1 }),
    ...((type.go.markers['structType'] ?? type.go.markers['mapType'])?.[0] === 'atomic' && { t: 1 }),
    ...(type.go.alias !== undefined && { a: model.resolve(type.go.alias, type.packageIndex, true) }),
    ...(type.go.alias !== undefined && model.types.includes(type) && { w: 1 }),
    ...('enum' in type.go.markers && constants && { e: constants.sort() }),
    ...(inlined.length > 0 && {
      i: inlined.map((f) => [model.resolve(f.goType, type.packageIndex), f.number ?? 0]),
    }),
    ...(type.go.fields && {
      f: Object.fromEntries(
        fields.filter((f) => f.json !== '').map((f) => [f.json, fieldRow(model, type, f)]),
      ),
    }),
  };
}

function tableFile(model: Model): string {
  const names = model.packages.map(({ path, group, version }) => [
    `io.k8s.${path.replaceAll('/', '.')}`,
    group,
    version,
  ]);
  const rows = [...model.types, ...model.aliases].map(
    (t) => `"${t.name}":${JSON.stringify(typeRow(model, t))}`,
  );
  const text = `{"packages":${JSON.stringify(names)},\n"types":{\n${rows.join(',\n')}\n}}`;
  if (/[`\\]|\$\{/.test(text)) throw new Error('the table needs escaping');
  return `// Written by scripts/generate-schema.ts from the Kubernetes 0.36.4 Go packages. Do not edit.
// Read by src/api/schema/table.ts, which says what the letters mean. Text, because JSON.parse loads it fastest.
export const schemaText = \`${text}\`;\n`;
}

const root = process.argv[2];
if (!root) throw new Error('usage: generate-schema.ts <folder of k8s.io Go packages>');
const model = new Model(root);
for (const type of model.types) checkAgainstProto(model, type);
const out = join(import.meta.dirname, '../src/api/generated');
writeFileSync(join(out, 'types.ts'), typesFile(model));
writeFileSync(join(out, 'schema.ts'), tableFile(model));
