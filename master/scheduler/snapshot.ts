/**
 * What the scheduler knows of the cluster: nodes with their sums, and where pods are, placed or assumed.
 *
 * `ClusterState` is changed by the informers' handlers and by assuming pods; a scheduling cycle is synchronous, so it
 * sees the state standing still and reads it as a `Snapshot`. Every change costs what it changes, not the cluster.
 */
import { type Selector, selectorOfLabels } from '../../src/api/selectors.js';
import type { Node, Service } from '../../src/api/types.js';
import { change, createMatchIndex, type NodeCounts, type PodQuery } from './matchindex.js';
import { addPod, createNodeInfo, type NodeInfo, removePod, setNode } from './nodeinfo.js';
import type { PodInfo } from './podinfo.js';
import { createTermIndex, type TermIndex } from './termindex.js';
import type { Labels, NamespaceLabels } from './terms.js';

export interface Snapshot {
  /** In the order they came. */
  readonly nodes: readonly NodeInfo[];
  node(name: string): NodeInfo | undefined;
  /** Matching pods by node. */
  counts(query: PodQuery): NodeCounts;
  /** Pods that this owner manages and that are not on their way out, by node. */
  countsOfOwner(uid: string): NodeCounts;
  /** Selectors of the Services that select this pod. */
  serviceSelectors(pod: PodInfo): Selector[];
  readonly namespaceLabels: NamespaceLabels;
  readonly terms: Pick<TermIndex, 'antiAffinity' | 'wishes'>;
  /** How many nodes have the image. */
  nodesWithImage(name: string): number;
}

export interface ClusterState extends Snapshot {
  setNode(node: Node): void;
  removeNode(name: string): void;
  /** Puts the pod on the node; takes it away from where it was. */
  place(pod: PodInfo, node: string): void;
  remove(podKey: string): void;
  setService(key: string, service: Service | undefined): void;
  setNamespace(name: string, labels: Labels | undefined): void;
}

interface Place {
  pod: PodInfo;
  node: NodeInfo;
}

const nowhere: NodeCounts = new Map();

export function createClusterState(): ClusterState {
  /** Also those that only pods name. */
  const infos = new Map<string, NodeInfo>();
  const nodes: NodeInfo[] = [];
  const places = new Map<string, Place>();
  const owners = new Map<string, Map<string, number>>();
  const services = new Map<string, { namespace: string; selector: Selector }>();
  const namespaceLabels = new Map<string, Labels>();
  const images = new Map<string, number>();
  const terms = createTermIndex();
  const matches = createMatchIndex(function* () {
    for (const { pod, node } of places.values()) yield [pod, node.name] as const;
  });

  function infoOf(name: string): NodeInfo {
    const known = infos.get(name);
    if (known) return known;
    const made = createNodeInfo(name);
    infos.set(name, made);
    return made;
  }

  function countOwner({ owner, isTerminating }: PodInfo, node: string, by: 1 | -1): void {
    if (!owner || isTerminating) return;
    const counts = owners.get(owner) ?? new Map<string, number>();
    change(counts, node, by);
    if (counts.size === 0) owners.delete(owner);
    else owners.set(owner, counts);
  }

  function countImages(node: NodeInfo, by: 1 | -1): void {
    for (const name of node.images.keys()) change(images, name, by);
  }

  function dropIfUnused(info: NodeInfo): void {
    if (!info.node && info.pods.size === 0) infos.delete(info.name);
  }

  function remove(podKey: string): void {
    const place = places.get(podKey);
    if (!place) return;
    const { pod, node } = place;
    places.delete(podKey);
    removePod(node, pod);
    countOwner(pod, node.name, -1);
    terms.remove(pod, node.name);
    matches.remove(pod, node.name);
    dropIfUnused(node);
  }

  return {
    nodes,
    node: (name) => infos.get(name),
    counts: (query) => matches.counts(query),
    countsOfOwner: (uid) => owners.get(uid) ?? nowhere,
    serviceSelectors: (pod) =>
      [...services.values()].flatMap(({ namespace, selector }) =>
        namespace === pod.namespace && selector.matches(pod.labels) ? [selector] : [],
      ),
    namespaceLabels,
    terms,
    nodesWithImage: (name) => images.get(name) ?? 0,
    setNode(node) {
      const info = infoOf(node.metadata.name ?? '');
      if (!info.node) nodes.push(info);
      countImages(info, -1);
      setNode(info, node);
      countImages(info, 1);
    },
    removeNode(name) {
      const info = infos.get(name);
      if (!info?.node) return;
      nodes.splice(nodes.indexOf(info), 1);
      countImages(info, -1);
      setNode(info, undefined);
      dropIfUnused(info);
    },
    place(pod, nodeName) {
      remove(pod.key);
      const node = infoOf(nodeName);
      places.set(pod.key, { pod, node });
      addPod(node, pod);
      countOwner(pod, nodeName, 1);
      terms.add(pod, nodeName);
      matches.add(pod, nodeName);
    },
    remove,
    setService(key, service) {
      const labels = service?.spec?.selector ?? {};
      if (!service || Object.keys(labels).length === 0) services.delete(key);
      else
        services.set(key, {
          namespace: service.metadata.namespace ?? '',
          selector: selectorOfLabels(labels),
        });
    },
    setNamespace(name, labels) {
      if (labels) namespaceLabels.set(name, labels);
      else namespaceLabels.delete(name);
    },
  };
}
