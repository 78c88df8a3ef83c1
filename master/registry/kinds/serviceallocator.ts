/**
 * Cluster IPs and node ports: every Service gets its own, atomically with its write. Numbers are kept in two bitmaps, which
 * are rebuilt from the stored Services at start. No I/O, nothing asynchronous (see `allocation.ts`).
 */
import type { FieldError } from '../../../src/api/errors.js';
import type { Service, ServicePort, ServiceSpec } from '../../../src/api/types.js';
import { Bitmap } from '../../../src/net/bitmap.js';
import { addressAt, type Cidr, indexOf, mustParseCidr, sizeOf } from '../../../src/net/cidr.js';
import type { Allocation, AllocationHook } from '../allocation.js';
import { invalidValue } from '../validation/field.js';
import { isExternal, needsHealthCheck } from './serviceupdate.js';

export interface ServiceRanges {
  serviceCidr: string;
  nodePortRange: { from: number; to: number };
}

/** Of a very wide network (IPv6) only the first addresses are used. */
const maxAddresses = 2 ** 20;
/** The first address is the network's, the second that of the API itself, `default/kubernetes`. */
const apiAddress = 1;
const reservedAddresses = 2;

const isApiService = ({ metadata }: Service): boolean =>
  metadata.namespace === 'default' && metadata.name === 'kubernetes';

/**
 * The lower band of a range, meant for those who name a number; as Kubernetes divides its ranges: min(max(16, size / parts),
 * most), and none in a range that small.
 */
const bandOf = (size: number, parts: number, most: number): number => {
  const band = Math.min(Math.max(16, Math.floor(size / parts)), most);
  return band < size ? band : 0;
};

export function createServiceAllocator(ranges: ServiceRanges): AllocationHook<Service> {
  return new ServiceAllocator(ranges);
}

class ServiceAllocator implements AllocationHook<Service> {
  readonly #cidr: Cidr;
  readonly #cidrText: string;
  readonly #range: { from: number; to: number };
  readonly #addresses: Bitmap;
  readonly #ports: Bitmap;

  constructor({ serviceCidr, nodePortRange }: ServiceRanges) {
    this.#cidr = mustParseCidr(serviceCidr);
    this.#cidrText = serviceCidr;
    this.#range = nodePortRange;
    const size = sizeOf(this.#cidr) - 1n;
    const addresses = Number(size < BigInt(maxAddresses) ? size : BigInt(maxAddresses));
    this.#addresses = new Bitmap(addresses, bandOf(addresses, 16, 256));
    const ports = nodePortRange.to - nodePortRange.from + 1;
    this.#ports = new Bitmap(ports, bandOf(ports, 32, 128));
    for (let index = 0; index < reservedAddresses; index++) this.#addresses.allocateSpecific(index);
  }

  load(services: Iterable<Service>): void {
    for (const service of services) {
      for (const index of this.#addressesOf(service.spec)) this.#addresses.allocateSpecific(index);
      for (const index of this.#portsOf(service.spec)) this.#ports.allocateSpecific(index);
    }
  }

  allocate(service: Service, old: Service | undefined): Allocation<Service> {
    const taken = new Reservation();
    const held = {
      addresses: new Set(this.#addressesOf(old?.spec)),
      ports: new Set(this.#portsOf(old?.spec)),
    };
    const errors: FieldError[] = [];
    if (isApiService(service)) held.addresses.add(apiAddress);
    const addressed = this.#withAddress({ ...service.spec }, held.addresses, taken, errors);
    const spec = this.#withPorts(addressed, held.ports, taken, errors);
    if (errors.length > 0) taken.giveBack();
    const kept = { addresses: new Set(this.#addressesOf(spec)), ports: new Set(this.#portsOf(spec)) };
    return {
      object: { ...service, spec },
      errors,
      commit: () => {
        for (const index of held.addresses) if (!kept.addresses.has(index)) this.#releaseAddress(index);
        for (const index of held.ports) if (!kept.ports.has(index)) this.#ports.release(index);
      },
      rollback: () => taken.giveBack(),
    };
  }

  release(service: Service): void {
    for (const index of this.#addressesOf(service.spec)) this.#releaseAddress(index);
    for (const index of new Set(this.#portsOf(service.spec))) this.#ports.release(index);
  }

  #releaseAddress(index: number): void {
    if (index >= reservedAddresses) this.#addresses.release(index);
  }

  #withAddress(
    spec: ServiceSpec,
    held: ReadonlySet<number>,
    taken: Reservation,
    errors: FieldError[],
  ): ServiceSpec {
    if (spec.type === 'ExternalName') return spec;
    const asked = spec.clusterIPs?.[0] ?? spec.clusterIP;
    const family = this.#cidr.family === 4 ? 'IPv4' : 'IPv6';
    const complete = (clusterIP: string): ServiceSpec => ({
      ...spec,
      clusterIP,
      clusterIPs: [clusterIP],
      ipFamilies: [family],
      ipFamilyPolicy: spec.ipFamilyPolicy ?? 'SingleStack',
    });
    errors.push(...familyErrors(spec, family));
    if (asked === 'None') return complete('None');
    if (asked) {
      const problem = this.#takeAddress(asked, held, taken);
      if (problem)
        errors.push(invalidValue('spec.clusterIPs', [asked], `failed to allocate IP ${asked}: ${problem}`));
      return complete(asked);
    }
    const index = this.#addresses.allocate();
    if (index === undefined) {
      errors.push(
        invalidValue(
          'spec.clusterIPs',
          [],
          `failed to allocate a serviceIP: the range ${this.#cidrText} is full`,
        ),
      );
      return spec;
    }
    taken.add(() => this.#addresses.release(index));
    return complete(addressAt(this.#cidr, index));
  }

  /** Undefined when the address is now (or was) this Service's; else why not. */
  #takeAddress(address: string, held: ReadonlySet<number>, taken: Reservation): string | undefined {
    const index = Number(indexOf(this.#cidr, address) ?? -1n);
    if (index < 1 || index >= this.#addresses.size) {
      return `the provided IP (${address}) is not in the valid range. The range of valid IPs is ${this.#cidrText}`;
    }
    if (held.has(index)) return undefined;
    if (!this.#addresses.allocateSpecific(index)) return 'provided IP is already allocated';
    taken.add(() => this.#addresses.release(index));
    return undefined;
  }

  /** A port that several protocols have (DNS) gets one number for all of them. */
  #withPorts(
    spec: ServiceSpec,
    held: ReadonlySet<number>,
    taken: Reservation,
    errors: FieldError[],
  ): ServiceSpec {
    if (!isExternal(spec) || !spec.ports) return spec;
    const mayAllocate = spec.type === 'NodePort' || spec.allocateLoadBalancerNodePorts !== false;
    const own = new Set(held);
    for (const [index, { nodePort }] of spec.ports.entries()) {
      const problem = nodePort ? this.#takePort(nodePort, own, taken) : undefined;
      if (problem) errors.push(invalidValue(`spec.ports[${index}].nodePort`, nodePort, problem));
    }
    const numbers = new Map<number, number>();
    for (const { port, nodePort } of spec.ports) if (nodePort) numbers.set(port, nodePort);
    const ports = spec.ports.map((port, index): ServicePort => {
      if (port.nodePort || !mayAllocate) return port;
      const known = numbers.get(port.port);
      if (known !== undefined) return { ...port, nodePort: known };
      const offset = this.#ports.allocate();
      if (offset === undefined) {
        errors.push(
          invalidValue(`spec.ports[${index}].nodePort`, 0, 'failed to allocate a nodePort: range is full'),
        );
        return port;
      }
      taken.add(() => this.#ports.release(offset));
      const nodePort = this.#range.from + offset;
      numbers.set(port.port, nodePort);
      return { ...port, nodePort };
    });
    return this.#withHealthCheck({ ...spec, ports }, own, taken, errors);
  }

  /** The node port at which every node says whether it has pods of the Service. */
  #withHealthCheck(
    spec: ServiceSpec,
    own: Set<number>,
    taken: Reservation,
    errors: FieldError[],
  ): ServiceSpec {
    if (!needsHealthCheck(spec)) return spec;
    const { healthCheckNodePort: asked } = spec;
    if (asked) {
      const problem = this.#takePort(asked, own, taken);
      if (problem) errors.push(invalidValue('spec.healthCheckNodePort', asked, problem));
      return spec;
    }
    const offset = this.#ports.allocate();
    if (offset === undefined) {
      errors.push(
        invalidValue('spec.healthCheckNodePort', 0, 'failed to allocate a nodePort: range is full'),
      );
      return spec;
    }
    taken.add(() => this.#ports.release(offset));
    return { ...spec, healthCheckNodePort: this.#range.from + offset };
  }

  /** One number may serve several protocols of the same Service. */
  #takePort(port: number, own: Set<number>, taken: Reservation): string | undefined {
    const { from, to } = this.#range;
    if (port < from || port > to)
      return `provided port is not in the valid range. The range of valid ports is ${from}-${to}`;
    const offset = port - from;
    if (own.has(offset)) return undefined;
    if (!this.#ports.allocateSpecific(offset)) return 'provided port is already allocated';
    own.add(offset);
    taken.add(() => this.#ports.release(offset));
    return undefined;
  }

  #addressesOf(spec: ServiceSpec | undefined): number[] {
    const addresses = spec?.clusterIPs ?? (spec?.clusterIP ? [spec.clusterIP] : []);
    return addresses.flatMap((address) => {
      const index = indexOf(this.#cidr, address);
      return index === undefined || index >= BigInt(this.#addresses.size) ? [] : [Number(index)];
    });
  }

  #portsOf(spec: ServiceSpec | undefined): number[] {
    const numbers = [...(spec?.ports ?? []).map(({ nodePort }) => nodePort), spec?.healthCheckNodePort];
    return numbers.flatMap((nodePort = 0) => {
      const offset = nodePort - this.#range.from;
      return offset >= 0 && offset < this.#ports.size ? [offset] : [];
    });
  }
}

/** A cluster has one family of addresses; who asks for the other, or for both, cannot be served. */
function familyErrors({ ipFamilies = [], ipFamilyPolicy }: ServiceSpec, family: string): FieldError[] {
  const errors = ipFamilies.flatMap((given, index) =>
    given === family
      ? []
      : [invalidValue(`spec.ipFamilies[${index}]`, given, 'not configured on this cluster')],
  );
  if (ipFamilyPolicy !== 'RequireDualStack') return errors;
  const detail = 'this cluster is not configured for dual-stack services';
  return [invalidValue('spec.ipFamilyPolicy', ipFamilyPolicy, detail), ...errors];
}

/** What one write has taken so far, to give back when it fails. */
class Reservation {
  readonly #undo: (() => void)[] = [];

  add(undo: () => void): void {
    this.#undo.push(undo);
  }

  giveBack(): void {
    for (const undo of this.#undo.splice(0)) undo();
  }
}
