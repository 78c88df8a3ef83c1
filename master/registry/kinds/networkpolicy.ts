/** The strategy of NetworkPolicies. Pure. Rules, paths and wording as kube-apiserver has them. */
import type { FieldError } from '../../../src/api/errors.js';
import type { IPBlock, NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort } from '../../../src/api/types.js';
import { containsCidr, parseCidr } from '../../../src/net/cidr.js';
import type { Strategy } from '../strategy.js';
import {
  forbiddenField,
  invalidValue,
  isPort,
  notSupported,
  oneOf,
  portRange,
  required,
} from '../validation/field.js';
import { validCidr } from './names.js';
import { validatePort as validatePortNumber } from './probe.js';
import { validateLabelSelector } from './selector.js';

interface Rule {
  ports: readonly NetworkPolicyPort[] | undefined;
  peers: readonly NetworkPolicyPeer[] | undefined;
  /** `from` or `to`. */
  side: string;
}

export const networkPolicyStrategy: Strategy<NetworkPolicy> = {
  validate: ({ spec = {} }) => [
    ...validateLabelSelector('spec.podSelector', spec.podSelector),
    ...(spec.ingress ?? []).flatMap(({ ports, from }, index) =>
      validateRule(`spec.ingress[${index}]`, { ports, peers: from, side: 'from' }),
    ),
    ...(spec.egress ?? []).flatMap(({ ports, to }, index) =>
      validateRule(`spec.egress[${index}]`, { ports, peers: to, side: 'to' }),
    ),
    ...validateTypes(spec.policyTypes ?? []),
  ],
};

const validateRule = (path: string, { ports, peers, side }: Rule): FieldError[] => [
  ...(ports ?? []).flatMap((port, index) => validatePort(`${path}.ports[${index}]`, port)),
  ...(peers ?? []).flatMap((peer, index) => validatePeer(`${path}.${side}[${index}]`, peer)),
];

function validatePort(path: string, { protocol, port, endPort }: NetworkPolicyPort): FieldError[] {
  const errors = oneOf(`${path}.protocol`, protocol, ['TCP', 'UDP', 'SCTP']);
  const invalidEnd = (value: unknown, detail: string) =>
    errors.push(invalidValue(`${path}.endPort`, value, detail));
  if (typeof port === 'number') {
    errors.push(...validatePortNumber(`${path}.port`, port));
    if (endPort === undefined) return errors;
    if (endPort < port) invalidEnd(port, 'must be greater than or equal to `port`');
    if (!isPort(endPort)) invalidEnd(endPort, portRange);
    return errors;
  }
  if (endPort !== undefined) {
    const what = port === undefined ? 'not specified' : 'non-numeric';
    invalidEnd(endPort, `may not be specified when \`port\` is ${what}`);
  }
  return port === undefined ? errors : [...errors, ...validatePortNumber(`${path}.port`, port)];
}

function validatePeer(path: string, peer: NetworkPolicyPeer): FieldError[] {
  const { podSelector, namespaceSelector, ipBlock } = peer;
  const errors = [
    ...(podSelector ? validateLabelSelector(`${path}.podSelector`, podSelector) : []),
    ...(namespaceSelector ? validateLabelSelector(`${path}.namespaceSelector`, namespaceSelector) : []),
    ...(ipBlock ? validateBlock(`${path}.ipBlock`, ipBlock) : []),
  ];
  const hasSelector = podSelector !== undefined || namespaceSelector !== undefined;
  if (!hasSelector && !ipBlock) errors.push(required(path, 'must specify a peer'));
  else if (hasSelector && ipBlock)
    errors.push(forbiddenField(path, 'may not specify both ipBlock and another peer'));
  return errors;
}

function validateBlock(path: string, { cidr = '', except = [] }: IPBlock): FieldError[] {
  if (cidr === '') return [required(`${path}.cidr`)];
  const outer = parseCidr(cidr);
  if (!outer) return [invalidValue(`${path}.cidr`, cidr, validCidr)];
  return except.flatMap((text, index) => {
    const field = `${path}.except[${index}]`;
    const inner = parseCidr(text);
    if (!inner) return [invalidValue(field, text, validCidr)];
    const isInside = containsCidr(outer, inner) && inner.prefix > outer.prefix;
    return isInside ? [] : [invalidValue(field, text, 'must be a strict subset of `cidr`')];
  });
}

function validateTypes(types: readonly string[]): FieldError[] {
  const field = 'spec.policyTypes';
  if (types.length > 2) return [invalidValue(field, types, 'may not specify more than two policyTypes')];
  return types.flatMap((type, index) =>
    type === 'Ingress' || type === 'Egress'
      ? []
      : [notSupported(`${field}[${index}]`, type, ['Egress', 'Ingress'])],
  );
}
