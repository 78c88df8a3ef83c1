/**
 * What `/metrics` tells of the agent's certificates, by the names of kubelet. Told of renewals by the composition root.
 */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { Clock } from '../../src/host/clock.js';
import { lifetimePoint } from '../../src/host/pem.js';
import type { AgentCredentials } from './bootstrap.js';
import type { CredentialName } from './bootstrap-files.js';

export interface CertificateFigures {
  renewed(name: CredentialName): void;
  failed(name: CredentialName): void;
  register(registry: Registry): void;
}

/** From minutes to years, as kubelet's. */
const ageBuckets = [
  60, 3_600, 14_400, 21_600, 43_200, 86_400, 604_800, 2_592_000, 7_776_000, 15_552_000, 31_104_000,
  124_416_000,
];

export function createCertificateFigures(
  credentials: Readonly<AgentCredentials>,
  clock: Pick<Clock, 'now'>,
): CertificateFigures {
  const registers: Registry[] = [];
  const failures = {
    client: new Counter({
      name: 'kubelet_certificate_manager_client_expiration_renew_errors',
      help: 'Failed renewals of the certificate the agent shows the API server.',
      registers,
    }),
    serving: new Counter({
      name: 'kubelet_server_expiration_renew_errors',
      help: 'Failed renewals of the certificate of the agent.',
      registers,
    }),
  };
  const ages = new Histogram({
    name: 'kubelet_certificate_manager_server_rotation_seconds',
    help: 'How old the certificate of the agent was when the next one replaced it.',
    buckets: ageBuckets,
    registers,
  });
  const gauge = (name: string, help: string, value: () => number): Gauge =>
    new Gauge({
      ...{ name, help, registers },
      collect() {
        this.set(value());
      },
    });
  const endMs = (name: CredentialName): number => lifetimePoint(credentials[name].cert, 1);
  const leftSeconds = (name: CredentialName): number => (endMs(name) - clock.now().getTime()) / 1000;
  const gauges = [
    gauge(
      'kubelet_certificate_manager_client_ttl_seconds',
      'How long the certificate the agent shows the API server is still good; negative when it has expired.',
      () => leftSeconds('client'),
    ),
    gauge(
      'kubelet_certificate_manager_client_expiration_seconds',
      'When the certificate the agent shows the API server expires, in seconds since 1970.',
      () => endMs('client') / 1000,
    ),
    gauge(
      'kubelet_certificate_manager_server_ttl_seconds',
      'How long the certificate of the agent is still good; negative when it has expired.',
      () => leftSeconds('serving'),
    ),
  ];
  let servingSince = lifetimePoint(credentials.serving.cert, 0);

  return {
    renewed(name) {
      if (name !== 'serving') return;
      ages.observe(Math.max(0, (clock.now().getTime() - servingSince) / 1000));
      servingSince = lifetimePoint(credentials.serving.cert, 0);
    },
    failed: (name) => failures[name].inc(),
    register(registry) {
      for (const metric of [...gauges, failures.client, failures.serving, ages])
        registry.registerMetric(metric as Parameters<Registry['registerMetric']>[0]);
    },
  };
}
