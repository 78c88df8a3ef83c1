/**
 * Every built-in kind the API serves, one row each; discovery, routes, tables and the registry read nothing else. Pure data.
 */
import { withDeprecation } from './deprecations.js';
import type { Resource } from './resource.js';
import { accessRows } from './rows/access.js';
import { clusterRows } from './rows/cluster.js';
import { coreRows } from './rows/core.js';
import { extensionRows } from './rows/extension.js';
import { metricsRows } from './rows/metrics.js';
import { networkRows } from './rows/network.js';
import { workloadRows } from './rows/workloads.js';

/** The rows, in the order in which discovery lists them; of a group with several versions the preferred one comes first. */
export const createResources = (): readonly Resource[] =>
  [
    ...coreRows,
    ...workloadRows,
    ...networkRows,
    ...clusterRows,
    ...accessRows,
    ...extensionRows,
    ...metricsRows,
  ].map(withDeprecation);
