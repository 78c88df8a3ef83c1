/** Rows of apps, batch, autoscaling and policy. */
import * as kinds from '../../../src/api/kinds.js';
import { controllerRevisionStrategy } from '../../registry/kinds/controllerrevision.js';
import { cronJobStrategy } from '../../registry/kinds/cronjob.js';
import { daemonSetStrategy } from '../../registry/kinds/daemonset.js';
import { deploymentStrategy } from '../../registry/kinds/deployment.js';
import { autoscalerStrategy } from '../../registry/kinds/hpa.js';
import { jobStrategy } from '../../registry/kinds/job.js';
import { podDisruptionBudgetStrategy } from '../../registry/kinds/poddisruptionbudget.js';
import { replicaSetStrategy } from '../../registry/kinds/replicaset.js';
import { statefulSetStrategy } from '../../registry/kinds/statefulset.js';
import { autoscalerPrinter, budgetPrinter } from '../printers/autoscaling.js';
import { cronJobPrinter, jobPrinter } from '../printers/batch.js';
import {
  controllerRevisionPrinter,
  daemonSetPrinter,
  deploymentPrinter,
  replicaSetPrinter,
  statefulSetPrinter,
} from '../printers/workload.js';
import type { Resource } from '../resource.js';
import {
  autoscalersV1,
  autoscalersV2beta2,
  autoscalerV1FromStored,
  autoscalerV1ToStored,
  autoscalerV2beta2FromStored,
  autoscalerV2beta2ToStored,
} from '../versions/autoscaler.js';
import { budgetFromStored, budgetsV1beta1, budgetToStored } from '../versions/budget.js';
import { cronJobFromStored, cronJobsV1beta1, cronJobToStored } from '../versions/cronjob.js';
import { row, viewRow } from './row.js';

const scaled = { categories: ['all'], subresources: ['status', 'scale'] };
const withStatus = { categories: ['all'], subresources: ['status'] };

const cronJobs = row({
  type: kinds.cronJobs,
  shortNames: ['cj'],
  ...withStatus,
  strategy: cronJobStrategy,
  printer: cronJobPrinter,
});

const autoscalers = row({
  type: kinds.horizontalPodAutoscalers,
  shortNames: ['hpa'],
  ...withStatus,
  strategy: autoscalerStrategy,
  printer: autoscalerPrinter,
});

const budgets = row({
  type: kinds.podDisruptionBudgets,
  shortNames: ['pdb'],
  subresources: ['status'],
  strategy: podDisruptionBudgetStrategy,
  printer: budgetPrinter,
});

export const workloadRows: readonly Resource[] = [
  row({
    type: kinds.deployments,
    shortNames: ['deploy'],
    ...scaled,
    strategy: deploymentStrategy,
    printer: deploymentPrinter,
  }),
  row({
    type: kinds.replicaSets,
    shortNames: ['rs'],
    ...scaled,
    strategy: replicaSetStrategy,
    printer: replicaSetPrinter,
  }),
  row({
    type: kinds.statefulSets,
    shortNames: ['sts'],
    ...scaled,
    strategy: statefulSetStrategy,
    printer: statefulSetPrinter,
  }),
  row({
    type: kinds.daemonSets,
    shortNames: ['ds'],
    ...withStatus,
    strategy: daemonSetStrategy,
    printer: daemonSetPrinter,
  }),
  row({
    type: kinds.controllerRevisions,
    strategy: controllerRevisionStrategy,
    printer: controllerRevisionPrinter,
  }),
  row({ type: kinds.jobs, ...withStatus, strategy: jobStrategy, printer: jobPrinter }),
  cronJobs,
  viewRow(cronJobs, { type: cronJobsV1beta1, toStored: cronJobToStored, fromStored: cronJobFromStored }),
  autoscalers,
  viewRow(autoscalers, {
    type: autoscalersV1,
    toStored: autoscalerV1ToStored,
    fromStored: autoscalerV1FromStored,
  }),
  viewRow(autoscalers, {
    type: autoscalersV2beta2,
    toStored: autoscalerV2beta2ToStored,
    fromStored: autoscalerV2beta2FromStored,
  }),
  budgets,
  viewRow(budgets, { type: budgetsV1beta1, toStored: budgetToStored, fromStored: budgetFromStored }),
];
