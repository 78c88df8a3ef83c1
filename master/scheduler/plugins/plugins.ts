/**
 * The plugins in use. Filters run in this order, cheap ones first (kube-scheduler's order); the first that refuses a
 * node says why. Weights of scores make three tiers: what the user wrote (8) outweighs spreading by default (6), which
 * outweighs free resources and images (1 each).
 */
import type { Filter, Score } from '../plugin.js';
import { imageLocality } from './images.js';
import { nodeAffinityFilter, nodeAffinityScore } from './nodeaffinity.js';
import { podAffinityFilter } from './podaffinity.js';
import { podPreference } from './podpreference.js';
import { hostPorts } from './ports.js';
import { balancedAllocation, leastAllocated, resourceFit } from './resources.js';
import { defaultSpreading } from './spreading.js';
import { taintFilter, taintScore } from './taints.js';
import { topologySpreadFilter, topologySpreadScore } from './topologyspread.js';
import { nodeUnschedulable } from './unschedulable.js';

export const filters: readonly Filter[] = [
  nodeUnschedulable,
  taintFilter,
  nodeAffinityFilter,
  hostPorts,
  resourceFit,
  topologySpreadFilter,
  podAffinityFilter,
];

export const scores: readonly Score[] = [
  taintScore,
  nodeAffinityScore,
  podPreference,
  topologySpreadScore,
  defaultSpreading,
  leastAllocated,
  balancedAllocation,
  imageLocality,
];
