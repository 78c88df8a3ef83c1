/** Custom kinds as a user of kubectl meets them: against a whole master, over its restart too. */
import t from 'tap';
import { kubectls, type Ran, startMaster } from '../../../test/kubectl/runner.js';

const { restart, run: runIn, stop } = await startMaster();
const run = (kubectl: string, line: string, input?: string): Promise<Ran> =>
  runIn(kubectl, line.split(' '), input);

const definition = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: boats.river.example.com}
spec:
  group: river.example.com
  scope: Namespaced
  names: {plural: boats, kind: Boat, shortNames: [bo], categories: [all]}
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        description: A boat on the river.
        properties:
          spec:
            type: object
            required: [length]
            properties:
              length: {type: integer, minimum: 1, description: Feet from bow to stern.}
              crew: {type: integer, default: 2}
              cargo:
                type: array
                x-kubernetes-list-type: map
                x-kubernetes-list-map-keys: [name]
                items: {type: object, required: [name], properties: {name: {type: string}, tons: {type: number}}}
            x-kubernetes-validations:
            - {rule: self.crew <= self.length, message: too many for so short a boat}
          status: {type: object, properties: {crew: {type: integer}, ready: {type: boolean}}}
    subresources: {status: {}, scale: {specReplicasPath: .spec.crew, statusReplicasPath: .status.crew}}
    additionalPrinterColumns:
    - {name: Length, type: integer, jsonPath: .spec.length}
    - {name: Crew, type: integer, jsonPath: .spec.crew, priority: 1}
`;

const boat = (name: string, length: number): string => `
apiVersion: river.example.com/v1
kind: Boat
metadata: {name: ${name}}
spec: {length: ${length}, cargo: [{name: coal, tons: 1.5}]}
`;

t.setTimeout(600_000);
t.teardown(stop);

for (const kubectl of kubectls) {
  t.test(`custom kinds with ${kubectl}`, async (t) => {
    const ok = async (line: string, wanted: RegExp, input = ''): Promise<void> => {
      const { code, stdout, stderr } = await run(kubectl, line, input);
      t.equal(code, 0, `${line}: ${stderr}`);
      t.match(stdout, wanted, line);
    };
    const fails = async (line: string, wanted: RegExp, input = ''): Promise<void> => {
      const { code, stderr } = await run(kubectl, line, input);
      t.not(code, 0, line);
      t.match(stderr, wanted, line);
    };
    await ok('apply -f -', /boats.river.example.com created/, definition);
    await ok('wait --for condition=Established crd/boats.river.example.com', /condition met/);
    await ok('get crd', /NAME +CREATED AT\nboats.river.example.com/);
    await ok('api-resources --api-group=river.example.com', /boats +bo +river.example.com\/v1 +true +Boat/);
    await ok('apply -f -', /boat.river.example.com\/wherry created/, boat('wherry', 20));
    await ok('get bo', /NAME +LENGTH\nwherry +20\n/);
    await ok('get boats -o wide', /NAME +LENGTH +CREW\nwherry +20 +2\n/);
    await ok('get all', /boat.river.example.com\/wherry/);
    await ok('describe boat wherry', /Length: +20/);
    await ok('explain boat', /A boat on the river/);
    await ok('explain boat.spec.length', /Feet from bow to stern/);
    await ok('explain boat.spec --recursive', /cargo\t<\[\]Object>[\s\S]*tons\t<number>/);
    await fails('apply -f -', /spec.length in body should be greater than or equal to 1/, boat('raft', 0));
    await fails('create -f -', /too many for so short a boat/, boat('raft', 1));
    await fails('patch bo wherry -p {"spec":{"crew":3}}', /unknown format - accepted media types include/);
    await ok('patch bo wherry --type=merge -p {"spec":{"crew":3}}', /patched/);
    await ok('scale boat wherry --replicas=4', /scaled/);
    await ok('get boat wherry -o jsonpath={.spec.crew}/{.metadata.generation}', /^4\/3$/);
    await ok('label boat wherry river=yare', /labeled/);
    await ok('get boats -l river=yare -o name', /^boat.river.example.com\/wherry\n$/);
    const served = boat('wherry', 25).replace('coal', 'reed');
    await ok('apply --server-side --force-conflicts -f -', /serverside-applied/, served);
    await ok('get boat wherry -o jsonpath={.spec.length}/{.spec.crew}', /^25\/4$/);

    await restart();
    await ok('get bo wherry -o jsonpath={.spec.crew}', /^4$/);
    await ok('create -f -', /punt created/, boat('punt', 9));
    await ok('delete boats --all', /"punt" deleted[\s\S]*"wherry" deleted/);
    await ok('delete crd boats.river.example.com', /deleted/);
    // The master forgets the kind a moment after its definition.
    for (let left = 50; left > 0 && (await run(kubectl, 'get boats')).code === 0; left -= 1);
    await fails('get boats', /doesn't have a resource type "boats"|NotFound/);
  });
}
