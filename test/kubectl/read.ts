import type { Case } from './case.js';

/** Every way to look at things; four config maps are there. */
export const read: Case[] = [
  ...['a', 'b', 'c', 'd'].map(
    (name): Case => ({
      run: `create configmap ${name} --from-literal=k=${name}`,
      prints: `configmap/${name} created\n`,
    }),
  ),
  { run: 'label configmap a b tier=front', prints: /configmap\/a labeled\nconfigmap\/b labeled\n/ },
  { run: 'annotate configmap a note=hello', prints: 'configmap/a annotated\n' },
  { run: 'edit configmap a', prints: 'configmap/a edited\n' },
  { run: 'get cm a -o jsonpath={.metadata.annotations.note}', prints: 'edited' },
  { run: 'edit configmap b', complains: /Edit cancelled, no changes made/ },
  { run: 'annotate configmap a note=hello --overwrite', prints: 'configmap/a annotated\n' },
  { run: 'get configmap a', prints: /^NAME +DATA +AGE\na +1 +\d+s\n$/ },
  { run: 'get cm -l tier=front -o name', prints: 'configmap/a\nconfigmap/b\n' },
  { run: "get cm -l 'tier notin (front),!nothing' -o name", prints: /configmap\/c\nconfigmap\/d\n/ },
  { run: 'get cm --field-selector metadata.name=c -o name', prints: 'configmap/c\n' },
  {
    run: 'get cm --chunk-size=2 -l k!=v -o name',
    prints: /configmap\/a\nconfigmap\/b\nconfigmap\/c\nconfigmap\/d\n/,
  },
  { run: 'get cm a -o wide --show-labels', prints: /tier=front/ },
  { run: 'get cm a b -L tier', prints: /NAME +DATA +AGE +TIER\na +1 +\d+s +front/ },
  { run: 'get cm a -o yaml', prints: /apiVersion: v1\ndata:\n {2}k: a\nkind: ConfigMap/ },
  { run: 'get cm a -o json', prints: /"apiVersion": "v1"/ },
  { run: 'get cm -o custom-columns=N:.metadata.name,K:.data.k -l tier', prints: /^N +K\na +a\nb +b\n$/ },
  { run: "get cm -l tier -o 'go-template={{range .items}}{{.metadata.name}};{{end}}'", prints: 'a;b;' },
  { run: 'get cm -l tier --sort-by=.metadata.name --no-headers', prints: /^a .*\nb .*\n$/ },
  { run: 'get cm/a cm/nope -o name --ignore-not-found', prints: 'configmap/a\n' },
  { run: 'get pods', complains: /No resources found in \S+ namespace/ },
  { run: 'get --raw /api/v1', prints: /"kind":"APIResourceList"/ },
  { run: 'get --raw /healthz', prints: 'ok' },
  { run: 'api-versions', prints: /apps\/v1\n[\s\S]*networking\.k8s\.io\/v1\n[\s\S]*\nv1\n/ },
  { run: 'api-resources --namespaced=false -o name', prints: /namespaces\nnodes\n/ },
  { run: 'api-resources --api-group=apps', prints: /deployments +deploy +apps\/v1 +true +Deployment/ },
  { run: 'cluster-info', prints: /control plane.* is running at/ },
  { run: 'version', prints: /v1\.36/ },
  { run: 'explain deployment --recursive', prints: /FIELDS:[\s\S]*strategy[\s\S]*template/ },
  {
    run: 'get ingresses.v1beta1.extensions',
    complains:
      /Warning: extensions\/v1beta1 Ingress is deprecated in v1\.14\+, unavailable in v1\.22\+; use networking/,
  },
  { run: 'explain ingress.spec.rules', prints: /http/ },
  { run: 'explain cronjob --api-version=batch/v1beta1', prints: /VERSION: +(batch\/)?v1beta1/ },
  {
    run: 'describe cm a',
    prints:
      /Name: +a\nNamespace: [\s\S]*Labels: +tier=front\nAnnotations: +note[=:] ?hello[\s\S]*k:\n----\na/,
  },
  { run: 'describe node hollow', prints: /Name: +hollow[\s\S]*Capacity:[\s\S]*Allocated resources:/ },
  { run: 'describe namespace default', prints: /Name: +default[\s\S]*No resource quota/ },
  { run: 'get nodes -o wide', prints: /hollow +Ready/ },
  { run: 'auth can-i create pods', prints: 'yes\n' },
  { run: 'auth can-i --list', prints: /Resources +Non-Resource URLs/ },
  { run: 'auth can-i get pods --as=nobody', exit: 1, prints: 'no\n' },
  { run: 'auth whoami', since: 28, prints: /Username +\S/ },
  { run: 'get events.events.k8s.io', complains: /No resources found/ },
  { run: 'events', since: 28, complains: /No events found/ },
  { run: 'delete cm a b c d', prints: /"a" deleted[\s\S]*"d" deleted/ },
];
