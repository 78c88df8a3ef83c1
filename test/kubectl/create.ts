import type { Case } from './case.js';

/** Every generator of `kubectl create` and its relatives, which newer ones send as protobuf. */
export const create: Case[] = [
  { run: 'create namespace made', prints: /namespace\/made created/ },
  { run: 'create namespace made', exit: 1, complains: /namespaces "made" already exists/ },
  { run: 'create configmap cm --from-literal=a=b --from-literal=c=d', prints: 'configmap/cm created\n' },
  { run: 'get configmap cm -o jsonpath={.data}', prints: '{"a":"b","c":"d"}' },
  { run: 'create secret generic s --from-literal=p=q', prints: 'secret/s created\n' },
  { run: 'get secret s -o jsonpath={.data.p}:{.type}', prints: 'cQ==:Opaque' },
  {
    run: 'create secret docker-registry reg --docker-server=r.example --docker-username=u --docker-password=p',
    prints: 'secret/reg created\n',
  },
  { run: 'get secret reg -o jsonpath={.type}', prints: 'kubernetes.io/dockerconfigjson' },
  { run: 'create serviceaccount sa', prints: 'serviceaccount/sa created\n' },
  { run: 'create deployment web --image=nginx --replicas=2', prints: 'deployment.apps/web created\n' },
  { run: 'create job once --image=busybox -- true', prints: 'job.batch/once created\n' },
  {
    run: "create cronjob tick --image=busybox --schedule='*/5 * * * *' -- date",
    prints: /^cronjob.batch\/tick created\n$/,
  },
  { run: 'create job from-cron --from=cronjob/tick', since: 21, prints: 'job.batch/from-cron created\n' },
  { run: 'create service clusterip ci --tcp=80:8080', prints: 'service/ci created\n' },
  { run: 'create service nodeport np --tcp=80', prints: 'service/np created\n' },
  { run: 'create service loadbalancer lb --tcp=80', prints: 'service/lb created\n' },
  { run: 'create service externalname en --external-name=example.org', prints: 'service/en created\n' },
  { run: 'create ingress in --rule=a.example/x=web:80', prints: /ingress.networking.k8s.io\/in created/ },
  {
    run: 'create role r --verb=get,list --resource=pods',
    prints: /role.rbac.authorization.k8s.io\/r created/,
  },
  {
    run: 'create rolebinding rb --role=r --user=jane',
    prints: /rolebinding.rbac.authorization.k8s.io\/rb created/,
  },
  {
    run: 'create clusterrole cr-made --verb=get --resource=nodes',
    prints: /clusterrole.rbac.authorization.k8s.io\/cr-made created/,
  },
  {
    run: 'create clusterrolebinding crb-made --clusterrole=cr-made --group=g',
    prints: /clusterrolebinding.rbac.authorization.k8s.io\/crb-made created/,
  },
  { run: 'create quota q --hard=pods=10,cpu=4', prints: 'resourcequota/q created\n' },
  {
    run: 'create pdb budget --selector=app=web --min-available=1',
    prints: /poddisruptionbudget.policy\/budget created/,
  },
  {
    run: 'create priorityclass high-made --value=1000',
    prints: /priorityclass.scheduling.k8s.io\/high-made created/,
  },
  { run: 'create token sa', since: 24, prints: /^[\w-]+\.[\w-]+\.[\w-]+\n?$/ },
  { run: 'create deployment dry --image=nginx --dry-run=server -o name', prints: 'deployment.apps/dry\n' },
  { run: 'get deployment dry', exit: 1, complains: /deployments.apps "dry" not found/ },
  {
    run: 'run one --image=nginx --restart=Never --labels=a=b',
    exit: 1,
    complains: /pods "one" is forbidden: failed quota: q: must specify cpu for: one/,
    patient: true,
  },
  { run: 'delete quota q', prints: /deleted/ },
  { run: 'create quota q --hard=pods=10', prints: 'resourcequota/q created\n' },
  // Until the quota has been counted nothing is let in.
  { run: 'get quota q -o jsonpath={.status.used.pods}', prints: /^\d+$/, patient: true },
  { run: 'run one --image=nginx --restart=Never --labels=a=b', prints: 'pod/one created\n' },
  { run: 'expose deployment web --port=80 --target-port=8080', prints: 'service/web exposed\n' },
  { run: 'expose pod one --port=80 --name=one', prints: 'service/one exposed\n' },
  { run: 'autoscale deployment web --min=1 --max=3', prints: /autoscaled/ },
  { run: 'get hpa web -o jsonpath={.spec.minReplicas}-{.spec.maxReplicas}', prints: '1-3' },
  {
    run: 'get all,cm,secret,sa,ing,role,rolebinding,quota,pdb,ep -o name',
    prints:
      /pod\/one[\s\S]*service\/ci[\s\S]*deployment.apps\/web[\s\S]*cronjob.batch\/tick[\s\S]*job.batch\/once/,
  },
  { run: 'describe all,cm,secret,sa,ing,role,rolebinding,quota,pdb,ep,hpa,cj,job', prints: /Name: +web/ },
  { run: 'delete namespace made', prints: /deleted/ },
  {
    run: 'delete clusterrole/cr-made clusterrolebinding/crb-made priorityclass/high-made',
    prints: /deleted[\s\S]*deleted[\s\S]*deleted/,
  },
];
