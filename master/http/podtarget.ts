/**
 * 1. Which container of which node a pod's `log`, `exec` or `attach` is about, and the agent's path for it, as kube-apiserver
 * decides and words it. Pure.
 */
import { badRequest, type FieldError, invalid } from '../../src/api/errors.js';
import type { Pod } from '../../src/api/types.js';

const defaultContainer = 'kubectl.kubernetes.io/default-container';

/** The container asked for, else the annotated one, else the only one. Throws 400. */
export function containerOf(pod: Pod, asked: string | null): string {
  const spec = pod.spec;
  const names = (spec?.containers ?? []).map((container) => container.name);
  const initNames = (spec?.initContainers ?? []).map((container) => container.name);
  const ephemeral = (spec?.ephemeralContainers ?? []).map((container) => container.name);
  const podName = pod.metadata.name ?? '';
  const wanted =
    asked || pod.metadata.annotations?.[defaultContainer] || (names.length === 1 ? names[0] : undefined);
  if (wanted !== undefined) {
    if ([...names, ...initNames, ...ephemeral].includes(wanted)) return wanted;
    throw badRequest(`container ${wanted} is not valid for pod ${podName}`);
  }
  const init = initNames.length > 0 ? ` or one of the init containers: [${initNames.join(' ')}]` : '';
  throw badRequest(
    `a container name must be specified for pod ${podName}, choose one of: [${names.join(' ')}]${init}`,
  );
}

const logParameters = [
  'follow',
  'tailLines',
  'sinceSeconds',
  'sinceTime',
  'timestamps',
  'limitBytes',
  'previous',
  'stream',
];

const logStreams = ['All', 'Stderr', 'Stdout'];

/** The agent's path for a container's log. Throws 400 or 422 naming the parameter. */
export function logPath(pod: Pod, query: URLSearchParams): string {
  checkLogOptions(query);
  const passed = new URLSearchParams();
  for (const name of logParameters) {
    const value = query.get(name);
    if (value) passed.set(name, value);
  }
  return agentPath(['containerLogs', ...podPath(pod), containerOf(pod, query.get('container'))], passed);
}

function checkLogOptions(query: URLSearchParams): void {
  const errors: FieldError[] = [];
  const atLeast = (field: string, minimum: number): void => {
    const text = query.get(field);
    if (text === null || text === '') return;
    if (!/^[+-]?\d+$/.test(text))
      throw badRequest(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`);
    const detail = minimum === 0 ? 'must be greater than or equal to 0' : 'must be greater than 0';
    if (Number(text) < minimum) errors.push({ type: 'Invalid', field, value: Number(text), detail });
  };
  atLeast('tailLines', 0);
  atLeast('limitBytes', 1);
  atLeast('sinceSeconds', 1);
  const sinceTime = query.get('sinceTime');
  if (sinceTime && Number.isNaN(Date.parse(sinceTime))) {
    throw badRequest(
      `parsing time ${JSON.stringify(sinceTime)} as "2006-01-02T15:04:05Z07:00": cannot parse`,
    );
  }
  if (sinceTime && query.get('sinceSeconds')) {
    const detail = 'at most one of `sinceTime` or `sinceSeconds` may be specified';
    errors.push({ type: 'Forbidden', field: 'sinceSeconds', detail });
  }
  const stream = query.get('stream') || 'All';
  if (!logStreams.includes(stream)) {
    const detail = `supported values: ${logStreams.map((name) => JSON.stringify(name)).join(', ')}`;
    errors.push({ type: 'NotSupported', field: 'stream', value: stream, detail });
  } else if (stream !== 'All' && query.get('tailLines')) {
    const detail = '`tailLines` and specific `stream` are mutually exclusive for now';
    errors.push({ type: 'Forbidden', field: '<nil>', detail });
  }
  if (errors.length > 0) throw invalid({ group: '', kind: 'PodLogOptions', name: '' }, errors);
}

/** Subresources that turn the connection into a stream of both directions. */
export type StreamVerb = 'exec' | 'attach' | 'portforward';

const completed = {
  exec: 'cannot exec into a container in a completed pod',
  attach: 'cannot attach a container in a completed pod',
};

/** The agent's path for running a command in a container, attaching to it, or reaching its ports. Throws 400 or 422. */
export function streamPath(pod: Pod, verb: StreamVerb, query: URLSearchParams): string {
  return verb === 'portforward' ? portForwardPath(pod, query) : containerPath(pod, verb, query);
}

function containerPath(pod: Pod, verb: 'exec' | 'attach', query: URLSearchParams): string {
  const phase = pod.status?.phase;
  if (phase === 'Succeeded' || phase === 'Failed') {
    throw badRequest(`${completed[verb]}; current phase is ${phase}`);
  }
  const container = containerOf(pod, query.get('container'));
  checkHost(pod);
  const command = verb === 'exec' ? query.getAll('command') : [];
  if (verb === 'exec' && command.length === 0) {
    throw invalid({ group: '', kind: 'PodExecOptions', name: '' }, [{ type: 'Required', field: 'command' }]);
  }
  const passed = new URLSearchParams();
  for (const part of command) passed.append('command', part);
  const tty = isSet(query, 'tty', false);
  if (isSet(query, 'stdin', false)) passed.set('input', '1');
  if (isSet(query, 'stdout', true)) passed.set('output', '1');
  if (!tty && isSet(query, 'stderr', true)) passed.set('error', '1');
  if (tty) passed.set('tty', '1');
  return agentPath([verb, ...podPath(pod), container], passed);
}

/** Ports matter only to the clients that cannot name them later. */
function portForwardPath(pod: Pod, query: URLSearchParams): string {
  checkHost(pod);
  const passed = new URLSearchParams();
  for (const text of query.getAll('ports')) passed.append('port', text);
  return agentPath(['portForward', ...podPath(pod)], passed);
}

function checkHost(pod: Pod): void {
  if (!pod.spec?.nodeName) throw badRequest(`pod ${pod.metadata.name} does not have a host assigned`);
}

function isSet(query: URLSearchParams, name: string, otherwise: boolean): boolean {
  const value = query.get(name);
  if (value === null) return otherwise;
  return value !== '0' && value.toLowerCase() !== 'false';
}

const podPath = ({ metadata }: Pod): string[] => [metadata.namespace ?? '', metadata.name ?? ''];

function agentPath(parts: readonly string[], query: URLSearchParams): string {
  const path = ['', ...parts].map(encodeURIComponent).join('/');
  return query.size === 0 ? path : `${path}?${query.toString()}`;
}
