/**
 * Which certificates a human should look at: those that would be renewed by themselves were long due, so something is wrong.
 * Pure. Used by master and agent for their Warning events, and by `wherry certs`.
 */
import { lifetimePoint } from './pem.js';

const warnMs = 30 * 24 * 3_600_000;
/** Of a certificate that lives for less than thirty days ten times over: when this part of its life is left. */
const warnPart = 0.1;

/** From when on, in milliseconds since the epoch. */
export function warningTime(certificate: string): number {
  const [from, to] = [lifetimePoint(certificate, 0), lifetimePoint(certificate, 1)];
  return to - Math.min(warnMs, (to - from) * warnPart);
}

/** What to say of it, or nothing. `name` begins the sentence. */
export function expiryWarning(name: string, certificate: string, now: Date): string | undefined {
  if (now.getTime() < warningTime(certificate)) return undefined;
  const end = lifetimePoint(certificate, 1);
  const when = new Date(end).toISOString();
  return end <= now.getTime() ? `${name} has expired on ${when}` : `${name} will expire on ${when}`;
}
