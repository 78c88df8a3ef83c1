import { type Case, yaml } from './case.js';

const group = 'stable.example.com';

const definition = yaml({
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: `crontabs.${group}` },
  spec: {
    group,
    scope: 'Namespaced',
    names: {
      plural: 'crontabs',
      singular: 'crontab',
      kind: 'CronTab',
      shortNames: ['ct'],
      categories: ['all'],
    },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        subresources: {
          status: {},
          scale: { specReplicasPath: '.spec.replicas', statusReplicasPath: '.status.replicas' },
        },
        additionalPrinterColumns: [
          { name: 'Spec', type: 'string', jsonPath: '.spec.cronSpec' },
          { name: 'Replicas', type: 'integer', jsonPath: '.spec.replicas' },
          { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
        ],
        selectableFields: [{ jsonPath: '.spec.cronSpec' }],
        schema: {
          openAPIV3Schema: {
            type: 'object',
            description: 'CronTab runs things.',
            properties: {
              spec: {
                type: 'object',
                required: ['cronSpec'],
                'x-kubernetes-validations': [
                  {
                    rule: 'self.replicas <= self.maxReplicas',
                    message: 'replicas must not exceed maxReplicas',
                  },
                ],
                properties: {
                  cronSpec: { type: 'string', pattern: '^[0-9*/ ]+$', description: 'When.' },
                  replicas: { type: 'integer', minimum: 0, default: 1 },
                  maxReplicas: { type: 'integer', default: 10 },
                  ports: {
                    type: 'array',
                    'x-kubernetes-list-type': 'map',
                    'x-kubernetes-list-map-keys': ['name'],
                    items: {
                      type: 'object',
                      required: ['name'],
                      properties: { name: { type: 'string' }, port: { 'x-kubernetes-int-or-string': true } },
                    },
                  },
                },
              },
              status: { type: 'object', properties: { replicas: { type: 'integer' } } },
            },
          },
        },
      },
      {
        name: 'v1beta1',
        served: true,
        storage: false,
        schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
      },
    ],
  },
});

const crontab = (spec: object, version = 'v1'): string =>
  yaml({ apiVersion: `${group}/${version}`, kind: 'CronTab', metadata: { name: 'mine' }, spec });

/** A custom kind from its definition to its end. */
export const custom: Case[] = [
  {
    run: 'create -f -',
    input: definition,
    prints: `customresourcedefinition.apiextensions.k8s.io/crontabs.${group} created\n`,
  },
  { run: `wait --for=condition=Established crd/crontabs.${group} --timeout=50s`, prints: /condition met/ },
  { run: `get crd crontabs.${group}`, prints: /NAME +CREATED AT\ncrontabs.stable.example.com +\d{4}-/ },
  {
    run: 'api-resources --api-group=stable.example.com',
    prints: /crontabs +ct +stable.example.com\/v1 +true +CronTab/,
  },
  { run: 'explain crontab.spec --recursive', prints: /cronSpec[\s\S]*maxReplicas[\s\S]*ports/ },
  { run: 'explain crontab', prints: /CronTab runs things\./ },
  {
    run: 'create -f -',
    input: crontab({ cronSpec: '*/5' }),
    prints: 'crontab.stable.example.com/mine created\n',
  },
  { run: 'get ct', prints: /NAME +SPEC +REPLICAS +AGE\nmine +\*\/5 +1 +\d+s/ },
  { run: 'get all', prints: /crontab.stable.example.com\/mine/ },
  { run: "get ct --field-selector 'spec.cronSpec=*/5' -o name", prints: 'crontab.stable.example.com/mine\n' },
  { run: "get ct --field-selector 'spec.cronSpec=7' -o name", prints: '' },
  {
    run: 'create -f -',
    input: crontab({ cronSpec: 'never' }).replace('mine', 'bad'),
    exit: 1,
    complains: /spec\.cronSpec: Invalid value: "never": spec\.cronSpec in body should match/,
  },
  {
    run: 'create -f -',
    input: crontab({}).replace('mine', 'bad'),
    exit: 1,
    complains: /spec\.cronSpec: Required value|missing required field "cronSpec"/,
  },
  {
    run: 'create --validate=false -f -',
    input: crontab({ cronSpec: '1', replicas: 11 }).replace('mine', 'bad'),
    exit: 1,
    complains: /replicas must not exceed maxReplicas/,
  },
  {
    run: 'create -f -',
    since: 27,
    input: crontab({ cronSpec: '1', typo: 1 }).replace('mine', 'bad'),
    exit: 1,
    complains: /unknown field "spec\.typo"/,
  },
  { run: 'scale crontab/mine --replicas=3', prints: 'crontab.stable.example.com/mine scaled\n' },
  { run: 'get ct mine -o jsonpath={.spec.replicas}', prints: '3' },
  { run: 'patch ct mine --type=merge -p {"spec":{"ports":[{"name":"a","port":"http"}]}}', prints: /patched/ },
  {
    run: 'patch ct mine --type=json -p [{"op":"add","path":"/spec/ports/-","value":{"name":"b","port":1}}]',
    prints: /patched/,
  },
  { run: 'get ct mine -o jsonpath={.spec.ports[*].name}', prints: 'a b' },
  {
    run: 'apply --server-side --field-manager=me -f -',
    input: crontab({ cronSpec: '*/5', ports: [{ name: 'c', port: 3 }] }),
    prints: 'crontab.stable.example.com/mine serverside-applied\n',
  },
  { run: 'get ct mine -o jsonpath={.spec.ports[*].name}', prints: 'a b c' },
  { run: 'apply -f -', input: crontab({ cronSpec: '*/6' }), prints: /configured/ },
  {
    run: 'get crontabs.v1beta1.stable.example.com mine -o jsonpath={.apiVersion}',
    prints: 'stable.example.com/v1beta1',
  },
  { run: 'describe ct mine', prints: /Name: +mine[\s\S]*Cron Spec: +\*\/6/ },
  { run: 'delete ct mine', prints: /"mine" deleted/ },
  { run: `delete crd crontabs.${group}`, prints: /deleted/ },
  {
    run: 'get ct',
    exit: 1,
    complains: /the server doesn't have a resource type "ct"|could not find the requested resource/,
    patient: true,
  },
];
