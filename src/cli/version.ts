/** `wherry version`. */
import { kubernetesVersion, wherryVersion } from '../api/version.js';

export const version = wherryVersion;

export function printVersion(): void {
  process.stdout.write(
    `wherry ${version} (Kubernetes API ${kubernetesVersion}, Node ${process.versions.node})\n`,
  );
}
