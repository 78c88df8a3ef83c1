/**
 * Who may do what by Kubernetes' default roles, written down by hand and apart from the tables of roles: one line per kind
 * and subresource, `resource.group[/subresource] any view edit admin node controller`. Read by `matrix.test.ts` only.
 *
 * The columns are verbs joined by `+`: `read` (get, list, watch), `write` (create, update, patch, delete,
 * deletecollection), single ones, or `-`. `any`: everybody who is authenticated. `view`, `edit`, `admin`: bound in the
 * namespace. `node`: the node that the object has to do with; what another node may too is in brackets. `controller`:
 * the account of the ReplicaSet controller.
 */
export const expectedAccess = `
namespaces                                      - get get get - -
namespaces/status                               - read read read - -
namespaces/finalize                             - - - - - -
nodes                                           - - - - (read+create+update+patch) -
nodes/status                                    - - - - (update+patch) -
nodes/proxy                                     - - - - - -
pods                                            - read read+write read+write get+(create+delete) list+watch+create+delete+patch
pods/status                                     - read read read (update+patch) -
pods/binding                                    - - - - - -
pods/eviction                                   - - create create (create) -
pods/ephemeralcontainers                        - - - - - -
pods/resize                                     - - - - - -
pods/log                                        - read read read - -
pods/exec                                       - - read+write read+write - -
pods/attach                                     - - read+write read+write - -
pods/portforward                                - - read+write read+write - -
pods/proxy                                      - - read+write read+write - -
services                                        - read read+write read+write (read) -
services/status                                 - read read read - -
services/proxy                                  - - read+write read+write - -
endpoints                                       - read read read (get) -
configmaps                                      - read read+write read+write get -
secrets                                         - - read+write read+write get -
serviceaccounts                                 - read read+write+impersonate read+write+impersonate get -
serviceaccounts/token                           - - create create create -
events                                          - read read+write read+write (create+update+patch) create+update+patch
persistentvolumes                               - - - - get -
persistentvolumes/status                        - - - - - -
persistentvolumeclaims                          - read read+write read+write get -
persistentvolumeclaims/status                   - read read read update+patch -
podtemplates                                    - - - - - -
replicationcontrollers                          - read read+write read+write - -
replicationcontrollers/status                   - read read read - -
replicationcontrollers/scale                    - read read+write read+write - -
limitranges                                     - read read read - -
resourcequotas                                  - read read read - -
resourcequotas/status                           - read read read - -
componentstatuses                               - - - - - -
deployments.apps                                - read read+write read+write - -
deployments.apps/status                         - read read read - -
deployments.apps/scale                          - read read+write read+write - -
replicasets.apps                                - read read+write read+write - read+update
replicasets.apps/status                         - read read read - update
replicasets.apps/scale                          - read read+write read+write - -
statefulsets.apps                               - read read+write read+write - -
statefulsets.apps/status                        - read read read - -
statefulsets.apps/scale                         - read read+write read+write - -
daemonsets.apps                                 - read read+write read+write - -
daemonsets.apps/status                          - read read read - -
controllerrevisions.apps                        - read read read - -
jobs.batch                                      - read read+write read+write - -
jobs.batch/status                               - read read read - -
cronjobs.batch                                  - read read+write read+write - -
cronjobs.batch/status                           - read read read - -
horizontalpodautoscalers.autoscaling            - read read+write read+write - -
horizontalpodautoscalers.autoscaling/status     - read read read - -
poddisruptionbudgets.policy                     - read read+write read+write - -
poddisruptionbudgets.policy/status              - read read read - -
ingresses.networking.k8s.io                     - read read+write read+write - -
ingresses.networking.k8s.io/status              - read read read - -
ingressclasses.networking.k8s.io                - - - - - -
networkpolicies.networking.k8s.io               - read read+write read+write - -
ipaddresses.networking.k8s.io                   - - - - - -
servicecidrs.networking.k8s.io                  - - - - - -
servicecidrs.networking.k8s.io/status           - - - - - -
ingresses.extensions                            - read read+write read+write - -
ingresses.extensions/status                     - read read read - -
endpointslices.discovery.k8s.io                 - read read read (read) -
leases.coordination.k8s.io                      - - read+write read+write get+(create)+update+patch+delete -
storageclasses.storage.k8s.io                   - - - - - -
volumeattachments.storage.k8s.io                - - - - get -
volumeattachments.storage.k8s.io/status         - - - - - -
csidrivers.storage.k8s.io                       - - - - (read) -
csinodes.storage.k8s.io                         - - - - get+(create)+update+patch+delete -
csistoragecapacities.storage.k8s.io             - - - - - -
volumeattributesclasses.storage.k8s.io          - - - - - -
priorityclasses.scheduling.k8s.io               - - - - - -
runtimeclasses.node.k8s.io                      - - - - (read) -
events.events.k8s.io                            - - - - - create+update+patch
roles.rbac.authorization.k8s.io                 - - - read+write - -
rolebindings.rbac.authorization.k8s.io          - - - read+write - -
clusterroles.rbac.authorization.k8s.io          - - - - - -
clusterrolebindings.rbac.authorization.k8s.io   - - - - - -
certificatesigningrequests.certificates.k8s.io  - - - - (read+create) -
certificatesigningrequests.certificates.k8s.io/status    - - - - - -
certificatesigningrequests.certificates.k8s.io/approval  - - - - - -
tokenreviews.authentication.k8s.io              - - - - (create) -
selfsubjectreviews.authentication.k8s.io        create - - - - -
subjectaccessreviews.authorization.k8s.io       - - - - (create) -
selfsubjectaccessreviews.authorization.k8s.io   create - - - - -
selfsubjectrulesreviews.authorization.k8s.io    create - - - - -
localsubjectaccessreviews.authorization.k8s.io  - - - create (create) -
mutatingwebhookconfigurations.admissionregistration.k8s.io       - - - - - -
validatingwebhookconfigurations.admissionregistration.k8s.io     - - - - - -
validatingadmissionpolicies.admissionregistration.k8s.io         - - - - - -
validatingadmissionpolicies.admissionregistration.k8s.io/status  - - - - - -
validatingadmissionpolicybindings.admissionregistration.k8s.io   - - - - - -
mutatingadmissionpolicies.admissionregistration.k8s.io           - - - - - -
mutatingadmissionpolicybindings.admissionregistration.k8s.io     - - - - - -
customresourcedefinitions.apiextensions.k8s.io                   - - - - - -
customresourcedefinitions.apiextensions.k8s.io/status            - - - - - -
apiservices.apiregistration.k8s.io                               - - - - - -
apiservices.apiregistration.k8s.io/status                        - - - - - -
nodes.metrics.k8s.io                            - - - - - -
pods.metrics.k8s.io                             - read read read - -
`;

/** What is no kind, but named in rules: same columns. */
export const expectedWords = `
users                                           - - - - - -
groups                                          - - - - - -
uids.authentication.k8s.io                      - - - - - -
userextras.authentication.k8s.io/scopes         - - - - - -
signers.certificates.k8s.io                     - - - - - -
bindings                                        - read read read - -
pods/finalizers                                 - - - - - -
replicasets.apps/finalizers                     - - - - - update
endpoints/restricted                            - - - - - -
nodes/log                                       - - - - - -
nodes/metrics                                   - - - - - -
nodes/stats                                     - - - - - -
nodes/configz                                   - - - - - -
nodes/healthz                                   - - - - - -
nodes/pods                                      - - - - - -
certificatesigningrequests.certificates.k8s.io/nodeclient      - - - - - -
certificatesigningrequests.certificates.k8s.io/selfnodeclient  - - - - (create) -
resourceclaims.resource.k8s.io                  - - - - (get) -
resourceslices.resource.k8s.io                  - - - - (deletecollection) -
widgets.example.com                             - - - - - -
`;

/** Paths that are no resource: who may get them. Everybody besides who is known may what nobody may. */
export const expectedPaths: readonly (readonly [
  path: string,
  who: 'nobody' | 'any' | 'monitor' | 'account' | 'master',
])[] = [
  ['/healthz', 'nobody'],
  ['/livez', 'nobody'],
  ['/readyz', 'nobody'],
  ['/version', 'nobody'],
  ['/version/', 'nobody'],
  ['/api', 'any'],
  ['/api/v1', 'any'],
  ['/apis', 'any'],
  ['/apis/apps/v1', 'any'],
  ['/openapi/v2', 'any'],
  ['/openapi/v3', 'any'],
  ['/openapi/v3/apis/apps/v1', 'any'],
  ['/healthz/ping', 'monitor'],
  ['/livez/store', 'monitor'],
  ['/readyz/store', 'monitor'],
  ['/metrics', 'monitor'],
  ['/metrics/slis', 'monitor'],
  ['/.well-known/openid-configuration', 'account'],
  ['/openid/v1/jwks', 'account'],
  ['/', 'master'],
  ['/logs', 'master'],
  ['/logs/audit.log', 'master'],
  ['/debug/pprof', 'master'],
  ['/statusz', 'master'],
  ['/flagz', 'master'],
  ['/unknown', 'master'],
];
