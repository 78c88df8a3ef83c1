// Written by scripts/generate-cri.ts from cri-api 0.32.3 (the Kubernetes authors) and the API of containerd 1.6.20 (the
// containerd authors), both under the Apache License 2.0. Do not edit. Read by ../protocol.ts.

/** Request and response of each call. */
export interface Calls {
  version: [VersionRequest, VersionResponse];
  status: [StatusRequest, StatusResponse];
  runtimeConfig: [RuntimeConfigRequest, RuntimeConfigResponse];
  getContainerEvents: [GetEventsRequest, ContainerEventResponse];
  runPodSandbox: [RunPodSandboxRequest, RunPodSandboxResponse];
  stopPodSandbox: [StopPodSandboxRequest, StopPodSandboxResponse];
  removePodSandbox: [RemovePodSandboxRequest, RemovePodSandboxResponse];
  podSandboxStatus: [PodSandboxStatusRequest, PodSandboxStatusResponse];
  listPodSandbox: [ListPodSandboxRequest, ListPodSandboxResponse];
  createContainer: [CreateContainerRequest, CreateContainerResponse];
  startContainer: [StartContainerRequest, StartContainerResponse];
  stopContainer: [StopContainerRequest, StopContainerResponse];
  removeContainer: [RemoveContainerRequest, RemoveContainerResponse];
  listContainers: [ListContainersRequest, ListContainersResponse];
  containerStatus: [ContainerStatusRequest, ContainerStatusResponse];
  updateContainerResources: [UpdateContainerResourcesRequest, UpdateContainerResourcesResponse];
  reopenContainerLog: [ReopenContainerLogRequest, ReopenContainerLogResponse];
  exec: [ExecRequest, ExecResponse];
  attach: [AttachRequest, AttachResponse];
  containerStats: [ContainerStatsRequest, ContainerStatsResponse];
  listContainerStats: [ListContainerStatsRequest, ListContainerStatsResponse];
  listImages: [ListImagesRequest, ListImagesResponse];
  imageStatus: [ImageStatusRequest, ImageStatusResponse];
  pullImage: [PullImageRequest, PullImageResponse];
  removeImage: [RemoveImageRequest, RemoveImageResponse];
  imageFsInfo: [ImageFsInfoRequest, ImageFsInfoResponse];
  eventsSubscribe: [ContainerdSubscribeRequest, ContainerdEnvelope];
  contentWrite: [ContainerdWriteContentRequest, ContainerdWriteContentResponse];
  imagesCreate: [ContainerdCreateImageRequest, ContainerdCreateImageResponse];
  tasksListPids: [ContainerdListPidsRequest, ContainerdListPidsResponse];
}

export type CgroupDriver = 'SYSTEMD' | 'CGROUPFS';

export type ContainerEventType = 'CONTAINER_CREATED_EVENT' | 'CONTAINER_STARTED_EVENT' | 'CONTAINER_STOPPED_EVENT' | 'CONTAINER_DELETED_EVENT';

export type PodSandboxState = 'SANDBOX_READY' | 'SANDBOX_NOTREADY';

export type NamespaceMode = 'POD' | 'CONTAINER' | 'NODE' | 'TARGET';

export type ContainerState = 'CONTAINER_CREATED' | 'CONTAINER_RUNNING' | 'CONTAINER_EXITED' | 'CONTAINER_UNKNOWN';

export type MountPropagation = 'PROPAGATION_PRIVATE' | 'PROPAGATION_HOST_TO_CONTAINER' | 'PROPAGATION_BIDIRECTIONAL';

export type Protocol = 'TCP' | 'UDP' | 'SCTP';

export type SupplementalGroupsPolicy = 'Merge' | 'Strict';

export type SecurityProfileProfileType = 'RuntimeDefault' | 'Unconfined' | 'Localhost';

export type ContainerdWriteAction = 'STAT' | 'WRITE' | 'COMMIT';

export interface VersionRequest {
  version: string;
}

export interface VersionResponse {
  version: string;
  runtimeName: string;
  runtimeVersion: string;
  runtimeApiVersion: string;
}

export interface StatusRequest {
  verbose: boolean;
}

export interface StatusResponse {
  status: RuntimeStatus | null;
  info: Record<string, string>;
  runtimeHandlers: RuntimeHandler[];
  features: RuntimeFeatures | null;
}

export interface RuntimeStatus {
  conditions: RuntimeCondition[];
}

export interface RuntimeCondition {
  type: string;
  status: boolean;
  reason: string;
  message: string;
}

export interface RuntimeHandler {
  name: string;
  features: RuntimeHandlerFeatures | null;
}

export interface RuntimeHandlerFeatures {
  recursiveReadOnlyMounts: boolean;
  userNamespaces: boolean;
}

export interface RuntimeFeatures {
  supplementalGroupsPolicy: boolean;
}

export type RuntimeConfigRequest = Record<string, never>;

export interface RuntimeConfigResponse {
  linux: LinuxRuntimeConfiguration | null;
}

export interface LinuxRuntimeConfiguration {
  cgroupDriver: CgroupDriver;
}

export type GetEventsRequest = Record<string, never>;

export interface ContainerEventResponse {
  containerId: string;
  containerEventType: ContainerEventType;
  createdAt: number;
  podSandboxStatus: PodSandboxStatus | null;
  containersStatuses: ContainerStatus[];
}

export interface PodSandboxStatus {
  id: string;
  metadata: PodSandboxMetadata | null;
  state: PodSandboxState;
  createdAt: number;
  network: PodSandboxNetworkStatus | null;
  linux: LinuxPodSandboxStatus | null;
  labels: Record<string, string>;
  annotations: Record<string, string>;
  runtimeHandler: string;
}

export interface PodSandboxMetadata {
  name: string;
  uid: string;
  namespace: string;
  attempt: number;
}

export interface PodSandboxNetworkStatus {
  ip: string;
  additionalIps: PodIP[];
}

export interface PodIP {
  ip: string;
}

export interface LinuxPodSandboxStatus {
  namespaces: Namespace | null;
}

export interface Namespace {
  options: NamespaceOption | null;
}

export interface NamespaceOption {
  network: NamespaceMode;
  pid: NamespaceMode;
  ipc: NamespaceMode;
  targetId: string;
  usernsOptions: UserNamespace | null;
}

export interface UserNamespace {
  mode: NamespaceMode;
  uids: IDMapping[];
  gids: IDMapping[];
}

export interface IDMapping {
  hostId: number;
  containerId: number;
  length: number;
}

export interface ContainerStatus {
  id: string;
  metadata: ContainerMetadata | null;
  state: ContainerState;
  createdAt: number;
  startedAt: number;
  finishedAt: number;
  exitCode: number;
  image: ImageSpec | null;
  imageRef: string;
  reason: string;
  message: string;
  labels: Record<string, string>;
  annotations: Record<string, string>;
  mounts: Mount[];
  logPath: string;
  resources: ContainerResources | null;
  imageId: string;
  user: ContainerUser | null;
}

export interface ContainerMetadata {
  name: string;
  attempt: number;
}

export interface ImageSpec {
  image: string;
  annotations: Record<string, string>;
  userSpecifiedImage: string;
  runtimeHandler: string;
}

export interface Mount {
  containerPath: string;
  hostPath: string;
  readonly: boolean;
  selinuxRelabel: boolean;
  propagation: MountPropagation;
  uidMappings: IDMapping[];
  gidMappings: IDMapping[];
  recursiveReadOnly: boolean;
  image: ImageSpec | null;
  imageSubPath: string;
}

export interface ContainerResources {
  linux: LinuxContainerResources | null;
}

export interface LinuxContainerResources {
  cpuPeriod: number;
  cpuQuota: number;
  cpuShares: number;
  memoryLimitInBytes: number;
  oomScoreAdj: number;
  cpusetCpus: string;
  cpusetMems: string;
  hugepageLimits: HugepageLimit[];
  unified: Record<string, string>;
  memorySwapLimitInBytes: number;
}

export interface HugepageLimit {
  pageSize: string;
  limit: number;
}

export interface ContainerUser {
  linux: LinuxContainerUser | null;
}

export interface LinuxContainerUser {
  uid: number;
  gid: number;
  supplementalGroups: number[];
}

export interface RunPodSandboxRequest {
  config: PodSandboxConfig | null;
  runtimeHandler: string;
}

export interface PodSandboxConfig {
  metadata: PodSandboxMetadata | null;
  hostname: string;
  logDirectory: string;
  dnsConfig: DNSConfig | null;
  portMappings: PortMapping[];
  labels: Record<string, string>;
  annotations: Record<string, string>;
  linux: LinuxPodSandboxConfig | null;
}

export interface DNSConfig {
  servers: string[];
  searches: string[];
  options: string[];
}

export interface PortMapping {
  protocol: Protocol;
  containerPort: number;
  hostPort: number;
  hostIp: string;
}

export interface LinuxPodSandboxConfig {
  cgroupParent: string;
  securityContext: LinuxSandboxSecurityContext | null;
  sysctls: Record<string, string>;
  overhead: LinuxContainerResources | null;
  resources: LinuxContainerResources | null;
}

export interface LinuxSandboxSecurityContext {
  namespaceOptions: NamespaceOption | null;
  selinuxOptions: SELinuxOption | null;
  runAsUser: Int64Value | null;
  runAsGroup: Int64Value | null;
  readonlyRootfs: boolean;
  supplementalGroups: number[];
  supplementalGroupsPolicy: SupplementalGroupsPolicy;
  privileged: boolean;
  seccomp: SecurityProfile | null;
  apparmor: SecurityProfile | null;
}

export interface SELinuxOption {
  user: string;
  role: string;
  type: string;
  level: string;
}

export interface Int64Value {
  value: number;
}

export interface SecurityProfile {
  profileType: SecurityProfileProfileType;
  localhostRef: string;
}

export interface RunPodSandboxResponse {
  podSandboxId: string;
}

export interface StopPodSandboxRequest {
  podSandboxId: string;
}

export type StopPodSandboxResponse = Record<string, never>;

export interface RemovePodSandboxRequest {
  podSandboxId: string;
}

export type RemovePodSandboxResponse = Record<string, never>;

export interface PodSandboxStatusRequest {
  podSandboxId: string;
  verbose: boolean;
}

export interface PodSandboxStatusResponse {
  status: PodSandboxStatus | null;
  info: Record<string, string>;
  containersStatuses: ContainerStatus[];
  timestamp: number;
}

export interface ListPodSandboxRequest {
  filter: PodSandboxFilter | null;
}

export interface PodSandboxFilter {
  id: string;
  state: PodSandboxStateValue | null;
  labelSelector: Record<string, string>;
}

export interface PodSandboxStateValue {
  state: PodSandboxState;
}

export interface ListPodSandboxResponse {
  items: PodSandbox[];
}

export interface PodSandbox {
  id: string;
  metadata: PodSandboxMetadata | null;
  state: PodSandboxState;
  createdAt: number;
  labels: Record<string, string>;
  annotations: Record<string, string>;
  runtimeHandler: string;
}

export interface CreateContainerRequest {
  podSandboxId: string;
  config: ContainerConfig | null;
  sandboxConfig: PodSandboxConfig | null;
}

export interface ContainerConfig {
  metadata: ContainerMetadata | null;
  image: ImageSpec | null;
  command: string[];
  args: string[];
  workingDir: string;
  envs: KeyValue[];
  mounts: Mount[];
  devices: Device[];
  labels: Record<string, string>;
  annotations: Record<string, string>;
  logPath: string;
  stdin: boolean;
  stdinOnce: boolean;
  tty: boolean;
  linux: LinuxContainerConfig | null;
  CDIDevices: CDIDevice[];
}

export interface KeyValue {
  key: string;
  value: string;
}

export interface Device {
  containerPath: string;
  hostPath: string;
  permissions: string;
}

export interface LinuxContainerConfig {
  resources: LinuxContainerResources | null;
  securityContext: LinuxContainerSecurityContext | null;
}

export interface LinuxContainerSecurityContext {
  capabilities: Capability | null;
  privileged: boolean;
  namespaceOptions: NamespaceOption | null;
  selinuxOptions: SELinuxOption | null;
  runAsUser: Int64Value | null;
  runAsGroup: Int64Value | null;
  runAsUsername: string;
  readonlyRootfs: boolean;
  supplementalGroups: number[];
  supplementalGroupsPolicy: SupplementalGroupsPolicy;
  noNewPrivs: boolean;
  maskedPaths: string[];
  readonlyPaths: string[];
  seccomp: SecurityProfile | null;
  apparmor: SecurityProfile | null;
}

export interface Capability {
  addCapabilities: string[];
  dropCapabilities: string[];
  addAmbientCapabilities: string[];
}

export interface CDIDevice {
  name: string;
}

export interface CreateContainerResponse {
  containerId: string;
}

export interface StartContainerRequest {
  containerId: string;
}

export type StartContainerResponse = Record<string, never>;

export interface StopContainerRequest {
  containerId: string;
  timeout: number;
}

export type StopContainerResponse = Record<string, never>;

export interface RemoveContainerRequest {
  containerId: string;
}

export type RemoveContainerResponse = Record<string, never>;

export interface ListContainersRequest {
  filter: ContainerFilter | null;
}

export interface ContainerFilter {
  id: string;
  state: ContainerStateValue | null;
  podSandboxId: string;
  labelSelector: Record<string, string>;
}

export interface ContainerStateValue {
  state: ContainerState;
}

export interface ListContainersResponse {
  containers: Container[];
}

export interface Container {
  id: string;
  podSandboxId: string;
  metadata: ContainerMetadata | null;
  image: ImageSpec | null;
  imageRef: string;
  state: ContainerState;
  createdAt: number;
  labels: Record<string, string>;
  annotations: Record<string, string>;
  imageId: string;
}

export interface ContainerStatusRequest {
  containerId: string;
  verbose: boolean;
}

export interface ContainerStatusResponse {
  status: ContainerStatus | null;
  info: Record<string, string>;
}

export interface UpdateContainerResourcesRequest {
  containerId: string;
  linux: LinuxContainerResources | null;
  annotations: Record<string, string>;
}

export type UpdateContainerResourcesResponse = Record<string, never>;

export interface ReopenContainerLogRequest {
  containerId: string;
}

export type ReopenContainerLogResponse = Record<string, never>;

export interface ExecRequest {
  containerId: string;
  cmd: string[];
  tty: boolean;
  stdin: boolean;
  stdout: boolean;
  stderr: boolean;
}

export interface ExecResponse {
  url: string;
}

export interface AttachRequest {
  containerId: string;
  stdin: boolean;
  tty: boolean;
  stdout: boolean;
  stderr: boolean;
}

export interface AttachResponse {
  url: string;
}

export interface ContainerStatsRequest {
  containerId: string;
}

export interface ContainerStatsResponse {
  stats: ContainerStats | null;
}

export interface ContainerStats {
  attributes: ContainerAttributes | null;
  cpu: CpuUsage | null;
  memory: MemoryUsage | null;
  writableLayer: FilesystemUsage | null;
  swap: SwapUsage | null;
}

export interface ContainerAttributes {
  id: string;
  metadata: ContainerMetadata | null;
  labels: Record<string, string>;
  annotations: Record<string, string>;
}

export interface CpuUsage {
  timestamp: number;
  usageCoreNanoSeconds: UInt64Value | null;
  usageNanoCores: UInt64Value | null;
}

export interface UInt64Value {
  value: number;
}

export interface MemoryUsage {
  timestamp: number;
  workingSetBytes: UInt64Value | null;
  availableBytes: UInt64Value | null;
  usageBytes: UInt64Value | null;
  rssBytes: UInt64Value | null;
  pageFaults: UInt64Value | null;
  majorPageFaults: UInt64Value | null;
}

export interface FilesystemUsage {
  timestamp: number;
  fsId: FilesystemIdentifier | null;
  usedBytes: UInt64Value | null;
  inodesUsed: UInt64Value | null;
}

export interface FilesystemIdentifier {
  mountpoint: string;
}

export interface SwapUsage {
  timestamp: number;
  swapAvailableBytes: UInt64Value | null;
  swapUsageBytes: UInt64Value | null;
}

export interface ListContainerStatsRequest {
  filter: ContainerStatsFilter | null;
}

export interface ContainerStatsFilter {
  id: string;
  podSandboxId: string;
  labelSelector: Record<string, string>;
}

export interface ListContainerStatsResponse {
  stats: ContainerStats[];
}

export interface ListImagesRequest {
  filter: ImageFilter | null;
}

export interface ImageFilter {
  image: ImageSpec | null;
}

export interface ListImagesResponse {
  images: Image[];
}

export interface Image {
  id: string;
  repoTags: string[];
  repoDigests: string[];
  size: number;
  uid: Int64Value | null;
  username: string;
  spec: ImageSpec | null;
  pinned: boolean;
}

export interface ImageStatusRequest {
  image: ImageSpec | null;
  verbose: boolean;
}

export interface ImageStatusResponse {
  image: Image | null;
  info: Record<string, string>;
}

export interface PullImageRequest {
  image: ImageSpec | null;
  auth: AuthConfig | null;
  sandboxConfig: PodSandboxConfig | null;
}

export interface AuthConfig {
  username: string;
  password: string;
  auth: string;
  serverAddress: string;
  identityToken: string;
  registryToken: string;
}

export interface PullImageResponse {
  imageRef: string;
}

export interface RemoveImageRequest {
  image: ImageSpec | null;
}

export type RemoveImageResponse = Record<string, never>;

export type ImageFsInfoRequest = Record<string, never>;

export interface ImageFsInfoResponse {
  imageFilesystems: FilesystemUsage[];
  containerFilesystems: FilesystemUsage[];
}

export interface ContainerdSubscribeRequest {
  filters: string[];
}

export interface ContainerdEnvelope {
  timestamp: Timestamp | null;
  namespace: string;
  topic: string;
  event: Any | null;
}

export interface Timestamp {
  seconds: number;
  nanos: number;
}

export interface Any {
  typeUrl: string;
  value: Buffer;
}

export interface ContainerdWriteContentRequest {
  action: ContainerdWriteAction;
  ref: string;
  total: number;
  expected: string;
  offset: number;
  data: Buffer;
  labels: Record<string, string>;
}

export interface ContainerdWriteContentResponse {
  action: ContainerdWriteAction;
  startedAt: Timestamp | null;
  updatedAt: Timestamp | null;
  offset: number;
  total: number;
  digest: string;
}

export interface ContainerdCreateImageRequest {
  image: ContainerdImage | null;
}

export interface ContainerdImage {
  name: string;
  labels: Record<string, string>;
  target: ContainerdDescriptor | null;
  createdAt: Timestamp | null;
  updatedAt: Timestamp | null;
}

export interface ContainerdDescriptor {
  mediaType: string;
  digest: string;
  size: number;
  annotations: Record<string, string>;
}

export interface ContainerdCreateImageResponse {
  image: ContainerdImage | null;
}

export interface ContainerdListPidsRequest {
  containerId: string;
}

export interface ContainerdListPidsResponse {
  processes: ContainerdProcessInfo[];
}

export interface ContainerdProcessInfo {
  pid: number;
  info: Any | null;
}

export const protocolText = `{"calls":{"version":{"path":"/runtime.v1.RuntimeService/Version","request":"runtime.v1.VersionRequest","response":"runtime.v1.VersionResponse"},
"status":{"path":"/runtime.v1.RuntimeService/Status","request":"runtime.v1.StatusRequest","response":"runtime.v1.StatusResponse"},
"runtimeConfig":{"path":"/runtime.v1.RuntimeService/RuntimeConfig","request":"runtime.v1.RuntimeConfigRequest","response":"runtime.v1.RuntimeConfigResponse"},
"getContainerEvents":{"path":"/runtime.v1.RuntimeService/GetContainerEvents","request":"runtime.v1.GetEventsRequest","response":"runtime.v1.ContainerEventResponse"},
"runPodSandbox":{"path":"/runtime.v1.RuntimeService/RunPodSandbox","request":"runtime.v1.RunPodSandboxRequest","response":"runtime.v1.RunPodSandboxResponse"},
"stopPodSandbox":{"path":"/runtime.v1.RuntimeService/StopPodSandbox","request":"runtime.v1.StopPodSandboxRequest","response":"runtime.v1.StopPodSandboxResponse"},
"removePodSandbox":{"path":"/runtime.v1.RuntimeService/RemovePodSandbox","request":"runtime.v1.RemovePodSandboxRequest","response":"runtime.v1.RemovePodSandboxResponse"},
"podSandboxStatus":{"path":"/runtime.v1.RuntimeService/PodSandboxStatus","request":"runtime.v1.PodSandboxStatusRequest","response":"runtime.v1.PodSandboxStatusResponse"},
"listPodSandbox":{"path":"/runtime.v1.RuntimeService/ListPodSandbox","request":"runtime.v1.ListPodSandboxRequest","response":"runtime.v1.ListPodSandboxResponse"},
"createContainer":{"path":"/runtime.v1.RuntimeService/CreateContainer","request":"runtime.v1.CreateContainerRequest","response":"runtime.v1.CreateContainerResponse"},
"startContainer":{"path":"/runtime.v1.RuntimeService/StartContainer","request":"runtime.v1.StartContainerRequest","response":"runtime.v1.StartContainerResponse"},
"stopContainer":{"path":"/runtime.v1.RuntimeService/StopContainer","request":"runtime.v1.StopContainerRequest","response":"runtime.v1.StopContainerResponse"},
"removeContainer":{"path":"/runtime.v1.RuntimeService/RemoveContainer","request":"runtime.v1.RemoveContainerRequest","response":"runtime.v1.RemoveContainerResponse"},
"listContainers":{"path":"/runtime.v1.RuntimeService/ListContainers","request":"runtime.v1.ListContainersRequest","response":"runtime.v1.ListContainersResponse"},
"containerStatus":{"path":"/runtime.v1.RuntimeService/ContainerStatus","request":"runtime.v1.ContainerStatusRequest","response":"runtime.v1.ContainerStatusResponse"},
"updateContainerResources":{"path":"/runtime.v1.RuntimeService/UpdateContainerResources","request":"runtime.v1.UpdateContainerResourcesRequest","response":"runtime.v1.UpdateContainerResourcesResponse"},
"reopenContainerLog":{"path":"/runtime.v1.RuntimeService/ReopenContainerLog","request":"runtime.v1.ReopenContainerLogRequest","response":"runtime.v1.ReopenContainerLogResponse"},
"exec":{"path":"/runtime.v1.RuntimeService/Exec","request":"runtime.v1.ExecRequest","response":"runtime.v1.ExecResponse"},
"attach":{"path":"/runtime.v1.RuntimeService/Attach","request":"runtime.v1.AttachRequest","response":"runtime.v1.AttachResponse"},
"containerStats":{"path":"/runtime.v1.RuntimeService/ContainerStats","request":"runtime.v1.ContainerStatsRequest","response":"runtime.v1.ContainerStatsResponse"},
"listContainerStats":{"path":"/runtime.v1.RuntimeService/ListContainerStats","request":"runtime.v1.ListContainerStatsRequest","response":"runtime.v1.ListContainerStatsResponse"},
"listImages":{"path":"/runtime.v1.ImageService/ListImages","request":"runtime.v1.ListImagesRequest","response":"runtime.v1.ListImagesResponse"},
"imageStatus":{"path":"/runtime.v1.ImageService/ImageStatus","request":"runtime.v1.ImageStatusRequest","response":"runtime.v1.ImageStatusResponse"},
"pullImage":{"path":"/runtime.v1.ImageService/PullImage","request":"runtime.v1.PullImageRequest","response":"runtime.v1.PullImageResponse"},
"removeImage":{"path":"/runtime.v1.ImageService/RemoveImage","request":"runtime.v1.RemoveImageRequest","response":"runtime.v1.RemoveImageResponse"},
"imageFsInfo":{"path":"/runtime.v1.ImageService/ImageFsInfo","request":"runtime.v1.ImageFsInfoRequest","response":"runtime.v1.ImageFsInfoResponse"},
"eventsSubscribe":{"path":"/containerd.services.events.v1.Events/Subscribe","request":"containerd.services.events.v1.SubscribeRequest","response":"containerd.services.events.v1.Envelope"},
"contentWrite":{"path":"/containerd.services.content.v1.Content/Write","request":"containerd.services.content.v1.WriteContentRequest","response":"containerd.services.content.v1.WriteContentResponse"},
"imagesCreate":{"path":"/containerd.services.images.v1.Images/Create","request":"containerd.services.images.v1.CreateImageRequest","response":"containerd.services.images.v1.CreateImageResponse"},
"tasksListPids":{"path":"/containerd.services.tasks.v1.Tasks/ListPids","request":"containerd.services.tasks.v1.ListPidsRequest","response":"containerd.services.tasks.v1.ListPidsResponse"}},
"messages":{"runtime.v1.VersionRequest":{"version":["string",1]},
"runtime.v1.VersionResponse":{"version":["string",1],"runtimeName":["string",2],"runtimeVersion":["string",3],"runtimeApiVersion":["string",4]},
"runtime.v1.StatusRequest":{"verbose":["bool",1]},
"runtime.v1.StatusResponse":{"status":["runtime.v1.RuntimeStatus",1],"info":["string",2,"string"],"runtimeHandlers":["runtime.v1.RuntimeHandler",3,"repeated"],"features":["runtime.v1.RuntimeFeatures",4]},
"runtime.v1.RuntimeStatus":{"conditions":["runtime.v1.RuntimeCondition",1,"repeated"]},
"runtime.v1.RuntimeCondition":{"type":["string",1],"status":["bool",2],"reason":["string",3],"message":["string",4]},
"runtime.v1.RuntimeHandler":{"name":["string",1],"features":["runtime.v1.RuntimeHandlerFeatures",2]},
"runtime.v1.RuntimeHandlerFeatures":{"recursiveReadOnlyMounts":["bool",1],"userNamespaces":["bool",2]},
"runtime.v1.RuntimeFeatures":{"supplementalGroupsPolicy":["bool",1]},
"runtime.v1.RuntimeConfigRequest":{},
"runtime.v1.RuntimeConfigResponse":{"linux":["runtime.v1.LinuxRuntimeConfiguration",1]},
"runtime.v1.LinuxRuntimeConfiguration":{"cgroupDriver":["runtime.v1.CgroupDriver",1]},
"runtime.v1.GetEventsRequest":{},
"runtime.v1.ContainerEventResponse":{"containerId":["string",1],"containerEventType":["runtime.v1.ContainerEventType",2],"createdAt":["int64",3],"podSandboxStatus":["runtime.v1.PodSandboxStatus",4],"containersStatuses":["runtime.v1.ContainerStatus",5,"repeated"]},
"runtime.v1.PodSandboxStatus":{"id":["string",1],"metadata":["runtime.v1.PodSandboxMetadata",2],"state":["runtime.v1.PodSandboxState",3],"createdAt":["int64",4],"network":["runtime.v1.PodSandboxNetworkStatus",5],"linux":["runtime.v1.LinuxPodSandboxStatus",6],"labels":["string",7,"string"],"annotations":["string",8,"string"],"runtimeHandler":["string",9]},
"runtime.v1.PodSandboxMetadata":{"name":["string",1],"uid":["string",2],"namespace":["string",3],"attempt":["uint32",4]},
"runtime.v1.PodSandboxNetworkStatus":{"ip":["string",1],"additionalIps":["runtime.v1.PodIP",2,"repeated"]},
"runtime.v1.PodIP":{"ip":["string",1]},
"runtime.v1.LinuxPodSandboxStatus":{"namespaces":["runtime.v1.Namespace",1]},
"runtime.v1.Namespace":{"options":["runtime.v1.NamespaceOption",2]},
"runtime.v1.NamespaceOption":{"network":["runtime.v1.NamespaceMode",1],"pid":["runtime.v1.NamespaceMode",2],"ipc":["runtime.v1.NamespaceMode",3],"targetId":["string",4],"usernsOptions":["runtime.v1.UserNamespace",5]},
"runtime.v1.UserNamespace":{"mode":["runtime.v1.NamespaceMode",1],"uids":["runtime.v1.IDMapping",2,"repeated"],"gids":["runtime.v1.IDMapping",3,"repeated"]},
"runtime.v1.IDMapping":{"hostId":["uint32",1],"containerId":["uint32",2],"length":["uint32",3]},
"runtime.v1.ContainerStatus":{"id":["string",1],"metadata":["runtime.v1.ContainerMetadata",2],"state":["runtime.v1.ContainerState",3],"createdAt":["int64",4],"startedAt":["int64",5],"finishedAt":["int64",6],"exitCode":["int32",7],"image":["runtime.v1.ImageSpec",8],"imageRef":["string",9],"reason":["string",10],"message":["string",11],"labels":["string",12,"string"],"annotations":["string",13,"string"],"mounts":["runtime.v1.Mount",14,"repeated"],"logPath":["string",15],"resources":["runtime.v1.ContainerResources",16],"imageId":["string",17],"user":["runtime.v1.ContainerUser",18]},
"runtime.v1.ContainerMetadata":{"name":["string",1],"attempt":["uint32",2]},
"runtime.v1.ImageSpec":{"image":["string",1],"annotations":["string",2,"string"],"userSpecifiedImage":["string",18],"runtimeHandler":["string",19]},
"runtime.v1.Mount":{"containerPath":["string",1],"hostPath":["string",2],"readonly":["bool",3],"selinuxRelabel":["bool",4],"propagation":["runtime.v1.MountPropagation",5],"uidMappings":["runtime.v1.IDMapping",6,"repeated"],"gidMappings":["runtime.v1.IDMapping",7,"repeated"],"recursiveReadOnly":["bool",8],"image":["runtime.v1.ImageSpec",9],"imageSubPath":["string",10]},
"runtime.v1.ContainerResources":{"linux":["runtime.v1.LinuxContainerResources",1]},
"runtime.v1.LinuxContainerResources":{"cpuPeriod":["int64",1],"cpuQuota":["int64",2],"cpuShares":["int64",3],"memoryLimitInBytes":["int64",4],"oomScoreAdj":["int64",5],"cpusetCpus":["string",6],"cpusetMems":["string",7],"hugepageLimits":["runtime.v1.HugepageLimit",8,"repeated"],"unified":["string",9,"string"],"memorySwapLimitInBytes":["int64",10]},
"runtime.v1.HugepageLimit":{"pageSize":["string",1],"limit":["uint64",2]},
"runtime.v1.ContainerUser":{"linux":["runtime.v1.LinuxContainerUser",1]},
"runtime.v1.LinuxContainerUser":{"uid":["int64",1],"gid":["int64",2],"supplementalGroups":["int64",3,"repeated"]},
"runtime.v1.RunPodSandboxRequest":{"config":["runtime.v1.PodSandboxConfig",1],"runtimeHandler":["string",2]},
"runtime.v1.PodSandboxConfig":{"metadata":["runtime.v1.PodSandboxMetadata",1],"hostname":["string",2],"logDirectory":["string",3],"dnsConfig":["runtime.v1.DNSConfig",4],"portMappings":["runtime.v1.PortMapping",5,"repeated"],"labels":["string",6,"string"],"annotations":["string",7,"string"],"linux":["runtime.v1.LinuxPodSandboxConfig",8]},
"runtime.v1.DNSConfig":{"servers":["string",1,"repeated"],"searches":["string",2,"repeated"],"options":["string",3,"repeated"]},
"runtime.v1.PortMapping":{"protocol":["runtime.v1.Protocol",1],"containerPort":["int32",2],"hostPort":["int32",3],"hostIp":["string",4]},
"runtime.v1.LinuxPodSandboxConfig":{"cgroupParent":["string",1],"securityContext":["runtime.v1.LinuxSandboxSecurityContext",2],"sysctls":["string",3,"string"],"overhead":["runtime.v1.LinuxContainerResources",4],"resources":["runtime.v1.LinuxContainerResources",5]},
"runtime.v1.LinuxSandboxSecurityContext":{"namespaceOptions":["runtime.v1.NamespaceOption",1],"selinuxOptions":["runtime.v1.SELinuxOption",2],"runAsUser":["runtime.v1.Int64Value",3],"runAsGroup":["runtime.v1.Int64Value",8],"readonlyRootfs":["bool",4],"supplementalGroups":["int64",5,"repeated"],"supplementalGroupsPolicy":["runtime.v1.SupplementalGroupsPolicy",11],"privileged":["bool",6],"seccomp":["runtime.v1.SecurityProfile",9],"apparmor":["runtime.v1.SecurityProfile",10]},
"runtime.v1.SELinuxOption":{"user":["string",1],"role":["string",2],"type":["string",3],"level":["string",4]},
"runtime.v1.Int64Value":{"value":["int64",1]},
"runtime.v1.SecurityProfile":{"profileType":["runtime.v1.SecurityProfile.ProfileType",1],"localhostRef":["string",2]},
"runtime.v1.RunPodSandboxResponse":{"podSandboxId":["string",1]},
"runtime.v1.StopPodSandboxRequest":{"podSandboxId":["string",1]},
"runtime.v1.StopPodSandboxResponse":{},
"runtime.v1.RemovePodSandboxRequest":{"podSandboxId":["string",1]},
"runtime.v1.RemovePodSandboxResponse":{},
"runtime.v1.PodSandboxStatusRequest":{"podSandboxId":["string",1],"verbose":["bool",2]},
"runtime.v1.PodSandboxStatusResponse":{"status":["runtime.v1.PodSandboxStatus",1],"info":["string",2,"string"],"containersStatuses":["runtime.v1.ContainerStatus",3,"repeated"],"timestamp":["int64",4]},
"runtime.v1.ListPodSandboxRequest":{"filter":["runtime.v1.PodSandboxFilter",1]},
"runtime.v1.PodSandboxFilter":{"id":["string",1],"state":["runtime.v1.PodSandboxStateValue",2],"labelSelector":["string",3,"string"]},
"runtime.v1.PodSandboxStateValue":{"state":["runtime.v1.PodSandboxState",1]},
"runtime.v1.ListPodSandboxResponse":{"items":["runtime.v1.PodSandbox",1,"repeated"]},
"runtime.v1.PodSandbox":{"id":["string",1],"metadata":["runtime.v1.PodSandboxMetadata",2],"state":["runtime.v1.PodSandboxState",3],"createdAt":["int64",4],"labels":["string",5,"string"],"annotations":["string",6,"string"],"runtimeHandler":["string",7]},
"runtime.v1.CreateContainerRequest":{"podSandboxId":["string",1],"config":["runtime.v1.ContainerConfig",2],"sandboxConfig":["runtime.v1.PodSandboxConfig",3]},
"runtime.v1.ContainerConfig":{"metadata":["runtime.v1.ContainerMetadata",1],"image":["runtime.v1.ImageSpec",2],"command":["string",3,"repeated"],"args":["string",4,"repeated"],"workingDir":["string",5],"envs":["runtime.v1.KeyValue",6,"repeated"],"mounts":["runtime.v1.Mount",7,"repeated"],"devices":["runtime.v1.Device",8,"repeated"],"labels":["string",9,"string"],"annotations":["string",10,"string"],"logPath":["string",11],"stdin":["bool",12],"stdinOnce":["bool",13],"tty":["bool",14],"linux":["runtime.v1.LinuxContainerConfig",15],"CDIDevices":["runtime.v1.CDIDevice",17,"repeated"]},
"runtime.v1.KeyValue":{"key":["string",1],"value":["string",2]},
"runtime.v1.Device":{"containerPath":["string",1],"hostPath":["string",2],"permissions":["string",3]},
"runtime.v1.LinuxContainerConfig":{"resources":["runtime.v1.LinuxContainerResources",1],"securityContext":["runtime.v1.LinuxContainerSecurityContext",2]},
"runtime.v1.LinuxContainerSecurityContext":{"capabilities":["runtime.v1.Capability",1],"privileged":["bool",2],"namespaceOptions":["runtime.v1.NamespaceOption",3],"selinuxOptions":["runtime.v1.SELinuxOption",4],"runAsUser":["runtime.v1.Int64Value",5],"runAsGroup":["runtime.v1.Int64Value",12],"runAsUsername":["string",6],"readonlyRootfs":["bool",7],"supplementalGroups":["int64",8,"repeated"],"supplementalGroupsPolicy":["runtime.v1.SupplementalGroupsPolicy",17],"noNewPrivs":["bool",11],"maskedPaths":["string",13,"repeated"],"readonlyPaths":["string",14,"repeated"],"seccomp":["runtime.v1.SecurityProfile",15],"apparmor":["runtime.v1.SecurityProfile",16]},
"runtime.v1.Capability":{"addCapabilities":["string",1,"repeated"],"dropCapabilities":["string",2,"repeated"],"addAmbientCapabilities":["string",3,"repeated"]},
"runtime.v1.CDIDevice":{"name":["string",1]},
"runtime.v1.CreateContainerResponse":{"containerId":["string",1]},
"runtime.v1.StartContainerRequest":{"containerId":["string",1]},
"runtime.v1.StartContainerResponse":{},
"runtime.v1.StopContainerRequest":{"containerId":["string",1],"timeout":["int64",2]},
"runtime.v1.StopContainerResponse":{},
"runtime.v1.RemoveContainerRequest":{"containerId":["string",1]},
"runtime.v1.RemoveContainerResponse":{},
"runtime.v1.ListContainersRequest":{"filter":["runtime.v1.ContainerFilter",1]},
"runtime.v1.ContainerFilter":{"id":["string",1],"state":["runtime.v1.ContainerStateValue",2],"podSandboxId":["string",3],"labelSelector":["string",4,"string"]},
"runtime.v1.ContainerStateValue":{"state":["runtime.v1.ContainerState",1]},
"runtime.v1.ListContainersResponse":{"containers":["runtime.v1.Container",1,"repeated"]},
"runtime.v1.Container":{"id":["string",1],"podSandboxId":["string",2],"metadata":["runtime.v1.ContainerMetadata",3],"image":["runtime.v1.ImageSpec",4],"imageRef":["string",5],"state":["runtime.v1.ContainerState",6],"createdAt":["int64",7],"labels":["string",8,"string"],"annotations":["string",9,"string"],"imageId":["string",10]},
"runtime.v1.ContainerStatusRequest":{"containerId":["string",1],"verbose":["bool",2]},
"runtime.v1.ContainerStatusResponse":{"status":["runtime.v1.ContainerStatus",1],"info":["string",2,"string"]},
"runtime.v1.UpdateContainerResourcesRequest":{"containerId":["string",1],"linux":["runtime.v1.LinuxContainerResources",2],"annotations":["string",4,"string"]},
"runtime.v1.UpdateContainerResourcesResponse":{},
"runtime.v1.ReopenContainerLogRequest":{"containerId":["string",1]},
"runtime.v1.ReopenContainerLogResponse":{},
"runtime.v1.ExecRequest":{"containerId":["string",1],"cmd":["string",2,"repeated"],"tty":["bool",3],"stdin":["bool",4],"stdout":["bool",5],"stderr":["bool",6]},
"runtime.v1.ExecResponse":{"url":["string",1]},
"runtime.v1.AttachRequest":{"containerId":["string",1],"stdin":["bool",2],"tty":["bool",3],"stdout":["bool",4],"stderr":["bool",5]},
"runtime.v1.AttachResponse":{"url":["string",1]},
"runtime.v1.ContainerStatsRequest":{"containerId":["string",1]},
"runtime.v1.ContainerStatsResponse":{"stats":["runtime.v1.ContainerStats",1]},
"runtime.v1.ContainerStats":{"attributes":["runtime.v1.ContainerAttributes",1],"cpu":["runtime.v1.CpuUsage",2],"memory":["runtime.v1.MemoryUsage",3],"writableLayer":["runtime.v1.FilesystemUsage",4],"swap":["runtime.v1.SwapUsage",5]},
"runtime.v1.ContainerAttributes":{"id":["string",1],"metadata":["runtime.v1.ContainerMetadata",2],"labels":["string",3,"string"],"annotations":["string",4,"string"]},
"runtime.v1.CpuUsage":{"timestamp":["int64",1],"usageCoreNanoSeconds":["runtime.v1.UInt64Value",2],"usageNanoCores":["runtime.v1.UInt64Value",3]},
"runtime.v1.UInt64Value":{"value":["uint64",1]},
"runtime.v1.MemoryUsage":{"timestamp":["int64",1],"workingSetBytes":["runtime.v1.UInt64Value",2],"availableBytes":["runtime.v1.UInt64Value",3],"usageBytes":["runtime.v1.UInt64Value",4],"rssBytes":["runtime.v1.UInt64Value",5],"pageFaults":["runtime.v1.UInt64Value",6],"majorPageFaults":["runtime.v1.UInt64Value",7]},
"runtime.v1.FilesystemUsage":{"timestamp":["int64",1],"fsId":["runtime.v1.FilesystemIdentifier",2],"usedBytes":["runtime.v1.UInt64Value",3],"inodesUsed":["runtime.v1.UInt64Value",4]},
"runtime.v1.FilesystemIdentifier":{"mountpoint":["string",1]},
"runtime.v1.SwapUsage":{"timestamp":["int64",1],"swapAvailableBytes":["runtime.v1.UInt64Value",2],"swapUsageBytes":["runtime.v1.UInt64Value",3]},
"runtime.v1.ListContainerStatsRequest":{"filter":["runtime.v1.ContainerStatsFilter",1]},
"runtime.v1.ContainerStatsFilter":{"id":["string",1],"podSandboxId":["string",2],"labelSelector":["string",3,"string"]},
"runtime.v1.ListContainerStatsResponse":{"stats":["runtime.v1.ContainerStats",1,"repeated"]},
"runtime.v1.ListImagesRequest":{"filter":["runtime.v1.ImageFilter",1]},
"runtime.v1.ImageFilter":{"image":["runtime.v1.ImageSpec",1]},
"runtime.v1.ListImagesResponse":{"images":["runtime.v1.Image",1,"repeated"]},
"runtime.v1.Image":{"id":["string",1],"repoTags":["string",2,"repeated"],"repoDigests":["string",3,"repeated"],"size":["uint64",4],"uid":["runtime.v1.Int64Value",5],"username":["string",6],"spec":["runtime.v1.ImageSpec",7],"pinned":["bool",8]},
"runtime.v1.ImageStatusRequest":{"image":["runtime.v1.ImageSpec",1],"verbose":["bool",2]},
"runtime.v1.ImageStatusResponse":{"image":["runtime.v1.Image",1],"info":["string",2,"string"]},
"runtime.v1.PullImageRequest":{"image":["runtime.v1.ImageSpec",1],"auth":["runtime.v1.AuthConfig",2],"sandboxConfig":["runtime.v1.PodSandboxConfig",3]},
"runtime.v1.AuthConfig":{"username":["string",1],"password":["string",2],"auth":["string",3],"serverAddress":["string",4],"identityToken":["string",5],"registryToken":["string",6]},
"runtime.v1.PullImageResponse":{"imageRef":["string",1]},
"runtime.v1.RemoveImageRequest":{"image":["runtime.v1.ImageSpec",1]},
"runtime.v1.RemoveImageResponse":{},
"runtime.v1.ImageFsInfoRequest":{},
"runtime.v1.ImageFsInfoResponse":{"imageFilesystems":["runtime.v1.FilesystemUsage",1,"repeated"],"containerFilesystems":["runtime.v1.FilesystemUsage",2,"repeated"]},
"containerd.services.events.v1.SubscribeRequest":{"filters":["string",1,"repeated"]},
"containerd.services.events.v1.Envelope":{"timestamp":["google.protobuf.Timestamp",1],"namespace":["string",2],"topic":["string",3],"event":["google.protobuf.Any",4]},
"google.protobuf.Timestamp":{"seconds":["int64",1],"nanos":["int32",2]},
"google.protobuf.Any":{"typeUrl":["string",1],"value":["bytes",2]},
"containerd.services.content.v1.WriteContentRequest":{"action":["containerd.services.content.v1.WriteAction",1],"ref":["string",2],"total":["int64",3],"expected":["string",4],"offset":["int64",5],"data":["bytes",6],"labels":["string",7,"string"]},
"containerd.services.content.v1.WriteContentResponse":{"action":["containerd.services.content.v1.WriteAction",1],"startedAt":["google.protobuf.Timestamp",2],"updatedAt":["google.protobuf.Timestamp",3],"offset":["int64",4],"total":["int64",5],"digest":["string",6]},
"containerd.services.images.v1.CreateImageRequest":{"image":["containerd.services.images.v1.Image",1]},
"containerd.services.images.v1.Image":{"name":["string",1],"labels":["string",2,"string"],"target":["containerd.types.Descriptor",3],"createdAt":["google.protobuf.Timestamp",7],"updatedAt":["google.protobuf.Timestamp",8]},
"containerd.types.Descriptor":{"mediaType":["string",1],"digest":["string",2],"size":["int64",3],"annotations":["string",5,"string"]},
"containerd.services.images.v1.CreateImageResponse":{"image":["containerd.services.images.v1.Image",1]},
"containerd.services.tasks.v1.ListPidsRequest":{"containerId":["string",1]},
"containerd.services.tasks.v1.ListPidsResponse":{"processes":["containerd.v1.types.ProcessInfo",1,"repeated"]},
"containerd.v1.types.ProcessInfo":{"pid":["uint32",1],"info":["google.protobuf.Any",2]}},
"enums":{"runtime.v1.CgroupDriver":{"SYSTEMD":0,"CGROUPFS":1},
"runtime.v1.ContainerEventType":{"CONTAINER_CREATED_EVENT":0,"CONTAINER_STARTED_EVENT":1,"CONTAINER_STOPPED_EVENT":2,"CONTAINER_DELETED_EVENT":3},
"runtime.v1.PodSandboxState":{"SANDBOX_READY":0,"SANDBOX_NOTREADY":1},
"runtime.v1.NamespaceMode":{"POD":0,"CONTAINER":1,"NODE":2,"TARGET":3},
"runtime.v1.ContainerState":{"CONTAINER_CREATED":0,"CONTAINER_RUNNING":1,"CONTAINER_EXITED":2,"CONTAINER_UNKNOWN":3},
"runtime.v1.MountPropagation":{"PROPAGATION_PRIVATE":0,"PROPAGATION_HOST_TO_CONTAINER":1,"PROPAGATION_BIDIRECTIONAL":2},
"runtime.v1.Protocol":{"TCP":0,"UDP":1,"SCTP":2},
"runtime.v1.SupplementalGroupsPolicy":{"Merge":0,"Strict":1},
"runtime.v1.SecurityProfile.ProfileType":{"RuntimeDefault":0,"Unconfined":1,"Localhost":2},
"containerd.services.content.v1.WriteAction":{"STAT":0,"WRITE":1,"COMMIT":2}}}`;
