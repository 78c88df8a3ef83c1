import protobuf from 'protobufjs/minimal.js';
import t from 'tap';
import { deployments, nodes, pods, services } from '../../src/api/kinds.js';
import { OpenApiDocuments, openapiV2, openapiV3, openapiV3Index } from './openapi.js';

const rows = [pods, nodes, services, deployments].map((type) => ({ ...type, subresources: ['status'] }));

/** Every `$ref` of a document. */
function references(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(references);
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, v]) => (key === '$ref' ? [String(v)] : references(v)));
}

/** The length-delimited fields of a message with this number. */
function fieldsOf(message: Uint8Array, number: number): Uint8Array[] {
  const reader = protobuf.Reader.create(message);
  const found: Uint8Array[] = [];
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    if (tag >>> 3 === number && (tag & 7) === 2) found.push(reader.bytes());
    else reader.skipType(tag & 7);
  }
  return found;
}
const stringsOf = (message: Uint8Array, number: number): string[] =>
  fieldsOf(message, number).map((bytes) => Buffer.from(bytes).toString());
/** Follows a path of field numbers. */
const descend = (message: Uint8Array, ...path: number[]): Uint8Array[] =>
  path.reduce((found, number) => found.flatMap((m) => fieldsOf(m, number)), [message]);

t.test('version 3: every reference resolves, and kubectl finds what it looks for', async (t) => {
  for (const path of ['api/v1', 'apis/apps/v1']) {
    const document = JSON.parse(String(openapiV3(rows, path)));
    const names = new Set(
      Object.keys(document.components.schemas).map((name) => `#/components/schemas/${name}`),
    );
    t.ok(names.size > 50);
    t.same(
      references(document).filter((ref) => !names.has(ref)),
      [],
    );
  }
  const { paths, components } = JSON.parse(String(openapiV3(rows, 'apis/apps/v1')));
  const { patch } = paths['/apis/apps/v1/namespaces/{namespace}/deployments/{name}'];
  t.same(patch['x-kubernetes-group-version-kind'], { group: 'apps', kind: 'Deployment', version: 'v1' });
  const parameters = patch.parameters.map((p: { name: string; in: string }) => `${p.in} ${p.name}`);
  t.ok(parameters.includes('query fieldValidation') && parameters.includes('query dryRun'));
  const podSpec = components.schemas['io.k8s.api.core.v1.PodSpec'];
  t.same(podSpec.required, ['containers']);
  t.same(podSpec.properties.volumes, {
    type: 'array',
    items: { $ref: '#/components/schemas/io.k8s.api.core.v1.Volume' },
    'x-kubernetes-list-type': 'map',
    'x-kubernetes-list-map-keys': ['name'],
    'x-kubernetes-patch-merge-key': 'name',
    'x-kubernetes-patch-strategy': 'merge,retainKeys',
  });
  t.same(podSpec.properties.securityContext, {
    allOf: [{ $ref: '#/components/schemas/io.k8s.api.core.v1.PodSecurityContext' }],
  });
  t.match(components.schemas['io.k8s.api.apps.v1.Deployment'], {
    'x-kubernetes-group-version-kind': [{ group: 'apps', version: 'v1', kind: 'Deployment' }],
  });
  t.equal(openapiV3(rows, 'apis/batch/v1'), undefined);
});

t.test('version 3: the index names each group version', async (t) => {
  const { paths } = JSON.parse(String(openapiV3Index(rows)));
  t.same(Object.keys(paths), ['api/v1', 'apis/apps/v1']);
  t.match(paths['api/v1'].serverRelativeURL, /^\/openapi\/v3\/api\/v1\?hash=[0-9A-F]+$/);
  t.not(String(openapiV3Index(rows)), String(openapiV3Index(rows.slice(0, 3))));
});

t.test('version 2: JSON and protobuf say the same', async (t) => {
  const { json, protobuf: encoded } = openapiV2(rows);
  const document = JSON.parse(String(json));
  const names = Object.keys(document.definitions);
  const known = new Set(names.map((name) => `#/definitions/${name}`));
  t.same(
    references(document).filter((ref) => !known.has(ref)),
    [],
  );
  t.same(stringsOf(encoded, 1), ['2.0']);
  const definitions = descend(encoded, 9, 1);
  t.same(
    definitions.flatMap((entry) => stringsOf(entry, 1)),
    names,
  );
  t.same(
    descend(encoded, 8, 2).flatMap((entry) => stringsOf(entry, 1)),
    Object.keys(document.paths),
  );

  const port = definitions.find((entry) => stringsOf(entry, 1)[0] === 'io.k8s.api.core.v1.ContainerPort');
  const [schema] = port ? fieldsOf(port, 2) : [];
  t.ok(schema);
  if (!schema) return;
  t.same(stringsOf(schema, 19), ['containerPort']);
  const properties = descend(schema, 25, 1).flatMap((entry) => stringsOf(entry, 1));
  t.same(properties, ['containerPort', 'hostIP', 'hostPort', 'name', 'protocol']);

  const pod = descend(encoded, 8, 2).find((entry) => stringsOf(entry, 1)[0]?.endsWith('/pods/{name}'));
  const queryNames = pod ? descend(pod, 2, 8, 8, 1, 2, 3).flatMap((p) => stringsOf(p, 4)) : [];
  t.same(queryNames, ['dryRun', 'fieldManager', 'fieldValidation', 'force']);
  const marks = pod
    ? descend(pod, 2, 8, 13).map((entry) => [stringsOf(entry, 1)[0], descend(entry, 2)[0]])
    : [];
  t.ok(marks.some(([name]) => name === 'x-kubernetes-group-version-kind'));
});

t.test('documents are built once', async (t) => {
  const documents = new OpenApiDocuments(rows);
  t.equal(documents.v2(), documents.v2());
  t.equal(documents.v2Protobuf(), documents.v2Protobuf());
  t.equal(documents.v3('api/v1'), documents.v3('api/v1'));
  t.equal(documents.v3Index(), documents.v3Index());
  t.equal(documents.v3('apis/none/v1'), undefined);
  t.notMatch(String(documents.v2()), /"description":"(?!OK|Created|Unauthorized)/, 'no descriptions');
});
