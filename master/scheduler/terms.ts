/**
 * Terms of inter-pod affinity and anti-affinity, compiled: whom a term means, and in which topology. Pure.
 *
 * `text` identifies a term with the pods it means: replicas share it, and indexes group by it.
 */
import { type Requirement, Selector, selectorOf } from '../../src/api/selectors.js';
import type { Pod, PodAffinityTerm } from '../../src/api/types.js';

export type Labels = Readonly<Record<string, string>>;

export interface Term {
  text: string;
  topologyKey: string;
  namespaces: ReadonlySet<string>;
  /** Namespaces with these labels are meant as well. */
  namespaceSelector: Selector;
  selector: Selector;
}

export interface WeightedTerm {
  term: Term;
  /** Negative for anti-affinity. */
  weight: number;
}

export interface PodTerms {
  affinity: readonly Term[];
  antiAffinity: readonly Term[];
  preferred: readonly WeightedTerm[];
}

const noTerms: PodTerms = { affinity: [], antiAffinity: [], preferred: [] };

export function compileTerms(pod: Pod): PodTerms {
  const { podAffinity, podAntiAffinity } = pod.spec?.affinity ?? {};
  if (!podAffinity && !podAntiAffinity) return noTerms;
  const compile = (term: PodAffinityTerm): Term => compileTerm(term, pod);
  const weighted = (sign: number, terms: { weight: number; podAffinityTerm: PodAffinityTerm }[] = []) =>
    terms.map(({ weight, podAffinityTerm }) => ({ term: compile(podAffinityTerm), weight: sign * weight }));
  return {
    affinity: (podAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []).map(compile),
    antiAffinity: (podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []).map(compile),
    preferred: [
      ...weighted(1, podAffinity?.preferredDuringSchedulingIgnoredDuringExecution),
      ...weighted(-1, podAntiAffinity?.preferredDuringSchedulingIgnoredDuringExecution),
    ],
  };
}

function compileTerm(term: PodAffinityTerm, pod: Pod): Term {
  const labels = pod.metadata.labels ?? {};
  const isOwn = !term.namespaces?.length && !term.namespaceSelector;
  const namespaces = isOwn ? [pod.metadata.namespace ?? ''] : [...(term.namespaces ?? [])].sort();
  const namespaceSelector = selectorOf(term.namespaceSelector);
  const selector = narrow(selectorOf(term.labelSelector), [
    ...requirementsOf(term.matchLabelKeys, labels, 'in'),
    ...requirementsOf(term.mismatchLabelKeys, labels, 'notin'),
  ]);
  const isNothing = term.labelSelector === undefined;
  const text = JSON.stringify([
    term.topologyKey,
    namespaces,
    term.namespaceSelector ? namespaceSelector.toString() : null,
    isNothing ? null : selector.toString(),
  ]);
  return {
    text,
    topologyKey: term.topologyKey,
    namespaces: new Set(namespaces),
    namespaceSelector,
    selector,
  };
}

/** The pod's own values of some of its labels, as `matchLabelKeys` asks; labels it lacks do not count. */
export const requirementsOf = (
  keys: readonly string[] | undefined,
  labels: Labels,
  operator: 'in' | 'notin',
): Requirement[] =>
  (keys ?? []).flatMap((key) => {
    const value = Object.hasOwn(labels, key) ? labels[key] : undefined;
    return value === undefined ? [] : [{ key, operator, values: [value] }];
  });

/** The selector with more requirements; one that selects nothing still does. */
export const narrow = (selector: Selector, more: readonly Requirement[]): Selector =>
  more.length === 0 || (selector.requirements.length === 0 && !selector.isEmpty)
    ? selector
    : Selector.of([...selector.requirements, ...more]);

/** A pod as a term sees it. */
export interface Subject {
  namespace: string;
  labels: Labels;
}

export type NamespaceLabels = ReadonlyMap<string, Labels>;

export const meansNamespace = (term: Term, namespace: string, known: NamespaceLabels): boolean =>
  term.namespaces.has(namespace) || term.namespaceSelector.matches(known.get(namespace) ?? {});

export const meansPod = (term: Term, pod: Subject, known: NamespaceLabels): boolean =>
  meansNamespace(term, pod.namespace, known) && term.selector.matches(pod.labels);
