/**
 * 1. `/healthz`, `/livez`, `/readyz` with `?verbose`, `?exclude=` and one path per check, in the text form that
 * Kubernetes documents. Pure but for the checks it is given.
 */
import type { Health } from '../../src/host/component.js';

export interface HealthCheck {
  name: string;
  check(): Health;
  /** Only `/readyz` asks it: a server that starts or drains is alive but not ready. */
  readyOnly?: boolean;
}

export interface TextAnswer {
  code: number;
  body: string;
}

/** `undefined` for a check that does not exist. */
export function answerHealth(
  path: string,
  query: URLSearchParams,
  checks: readonly HealthCheck[],
): TextAnswer | undefined {
  const [, endpoint = '', ...rest] = path.split('/');
  const excluded = query.getAll('exclude');
  const mine = checks.filter((check) => endpoint === 'readyz' || !check.readyOnly);
  if (rest.length > 0 && rest[0] !== '') {
    const one = mine.find((check) => check.name === rest.join('/'));
    if (!one) return undefined;
    const { ok, reason } = one.check();
    return ok ? { code: 200, body: 'ok' } : { code: 500, body: `internal server error: ${reason}\n` };
  }
  let failed = false;
  const lines = mine.map((check) => {
    if (excluded.includes(check.name)) return `[+]${check.name} excluded: ok`;
    const { ok } = check.check();
    failed ||= !ok;
    return ok ? `[+]${check.name} ok` : `[-]${check.name} failed: reason withheld`;
  });
  if (failed) return { code: 500, body: `${lines.join('\n')}\n${endpoint} check failed\n` };
  return { code: 200, body: query.has('verbose') ? `${lines.join('\n')}\n${endpoint} check passed\n` : 'ok' };
}
