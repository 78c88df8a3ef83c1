/**
 * Counts what the API answers, under kube-apiserver's names: `apiserver_request_total`, `apiserver_request_duration_seconds`,
 * requests under way. Called by the HTTP layer twice per request, so it does next to nothing: one look into a map and a few
 * additions; texts are made when somebody asks for them.
 *
 * Labels come from the resource table only: what clients make up does not grow the map.
 */
import type { RequestInfo } from '../http/request.js';
import type { ResourceSet } from '../resources/set.js';

/** Seconds; those of kube-apiserver. */
const bounds = [
  0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60,
] as const;

const verbNames: Readonly<Record<string, string>> = {
  get: 'GET',
  head: 'GET',
  list: 'LIST',
  watch: 'WATCH',
  create: 'POST',
  post: 'POST',
  update: 'PUT',
  put: 'PUT',
  patch: 'PATCH',
  delete: 'DELETE',
  deletecollection: 'DELETECOLLECTION',
};
const mutating: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH', 'DELETE', 'DELETECOLLECTION']);

/** Subresources whose requests end when somebody ends them. */
const streams: ReadonlySet<string> = new Set(['log', 'exec', 'attach', 'portforward', 'proxy']);

interface Series {
  labels: string;
  code: number;
  count: number;
  /** Of the durations; both stay 0 for what runs long by nature. */
  seconds: number;
  /** How many fell into each bound, the last is beyond all of them. */
  buckets: Float64Array;
}

type Kind = 'readOnly' | 'mutating' | 'longRunning';

export class RequestStats {
  readonly #resources: ResourceSet;
  readonly #series = new Map<string, Series>();
  readonly #underWay: Record<Kind, number> = { readOnly: 0, mutating: 0, longRunning: 0 };

  constructor(resources: ResourceSet) {
    this.#resources = resources;
  }

  /** Once per admitted request; `end` must follow. */
  begin(info: RequestInfo): void {
    this.#underWay[kindOf(info)] += 1;
  }

  end(info: RequestInfo, code: number, elapsedMs: number): void {
    const kind = kindOf(info);
    this.#underWay[kind] -= 1;
    const { target, verb } = info;
    const key = target
      ? `${verb} ${target.group}/${target.version}/${target.resource}/${target.subresource} ${code}${scopeOf(info)}`
      : `${verb} ${code}`;
    let series = this.#series.get(key);
    if (!series) {
      series = this.#make(info, code);
      if (isKnown(this.#resources, info)) this.#series.set(key, series);
      else series = this.#other(series);
    }
    series.count += 1;
    if (kind === 'longRunning') return;
    const seconds = elapsedMs / 1000;
    series.seconds += seconds;
    let index = 0;
    while (index < bounds.length && seconds > (bounds[index] ?? 0)) index += 1;
    series.buckets[index] = (series.buckets[index] ?? 0) + 1;
  }

  get underWay(): Readonly<Record<Kind, number>> {
    return this.#underWay;
  }

  /** Prometheus text. */
  text(): string {
    const all = [...this.#series.values()];
    const counts = all.map(
      ({ labels, code, count }) => `apiserver_request_total{${labels},dry_run="",code="${code}"} ${count}`,
    );
    return [
      '# HELP apiserver_request_total Counter of apiserver requests.',
      '# TYPE apiserver_request_total counter',
      ...counts,
      '# HELP apiserver_request_duration_seconds Response latency distribution in seconds.',
      '# TYPE apiserver_request_duration_seconds histogram',
      ...durations(all),
      '',
    ].join('\n');
  }

  #make(info: RequestInfo, code: number): Series {
    const buckets = new Float64Array(bounds.length + 1);
    return { labels: labelsOf(info), code, count: 0, seconds: 0, buckets };
  }

  /** Paths and resources that are not served share one series per verb and code. */
  #other(made: Series): Series {
    const verb = /verb="(\w+)"/.exec(made.labels)?.[1] ?? 'OTHER';
    const key = `other ${verb} ${made.code}`;
    const known = this.#series.get(key) ?? { ...made, labels: labelText({ verb }) };
    this.#series.set(key, known);
    return known;
  }
}

function kindOf({ verb, target }: RequestInfo): Kind {
  if (verb === 'watch' || (target && streams.has(target.subresource))) return 'longRunning';
  return mutating.has(verbNames[verb] ?? '') ? 'mutating' : 'readOnly';
}

function isKnown(resources: ResourceSet, { target, verb }: RequestInfo): boolean {
  if (!(verb in verbNames)) return false;
  if (!target) return true;
  const row = resources.at(target.group, target.version, target.resource);
  return row !== undefined && (target.subresource === '' || row.subresources.includes(target.subresource));
}

/** kube-apiserver's word for how much a request is about. */
function scopeOf({ target, verb }: RequestInfo): string {
  if (!target) return '';
  if (target.name !== undefined || verb === 'create') return 'resource';
  return target.namespace === undefined ? 'cluster' : 'namespace';
}

function labelsOf(info: RequestInfo): string {
  const { target, verb } = info;
  const isTunnel = target && target.subresource !== 'log' && streams.has(target.subresource);
  return labelText({
    verb: isTunnel ? 'CONNECT' : (verbNames[verb] ?? 'OTHER'),
    group: target?.group,
    version: target?.version,
    resource: target?.resource,
    subresource: target?.subresource,
    scope: scopeOf(info),
  });
}

const labelNames = ['verb', 'group', 'version', 'resource', 'subresource', 'scope'] as const;

const labelText = (labels: Partial<Record<(typeof labelNames)[number], string | undefined>>): string =>
  `${labelNames.map((name) => `${name}="${labels[name] ?? ''}"`).join(',')},component="apiserver"`;

/** One histogram per set of labels, whatever the code was. */
function durations(all: readonly Series[]): string[] {
  const byLabels = new Map<string, Series[]>();
  for (const series of all) {
    const same = byLabels.get(series.labels) ?? [];
    byLabels.set(series.labels, same);
    same.push(series);
  }
  const name = 'apiserver_request_duration_seconds';
  return [...byLabels].flatMap(([labels, same]) => {
    let total = 0;
    const lines = [...bounds, Number.POSITIVE_INFINITY].map((bound, index) => {
      total += same.reduce((sum, { buckets }) => sum + (buckets[index] ?? 0), 0);
      const le = Number.isFinite(bound) ? bound : '+Inf';
      return `${name}_bucket{${labels},dry_run="",le="${le}"} ${total}`;
    });
    if (total === 0) return [];
    const seconds = same.reduce((sum, series) => sum + series.seconds, 0);
    return [
      ...lines,
      `${name}_sum{${labels},dry_run=""} ${seconds}`,
      `${name}_count{${labels},dry_run=""} ${total}`,
    ];
  });
}
