/** CronJobs of batch/v1beta1: the same under another name. Pure. */
import { resourceType } from '../../../src/api/kinds.js';
import type { KubeObject } from '../../../src/api/types.js';

export const cronJobsV1beta1 = resourceType<KubeObject>('batch/v1beta1', 'cronjobs', 'CronJob', true);

export const cronJobToStored = (object: KubeObject): KubeObject => ({ ...object, apiVersion: 'batch/v1' });

export const cronJobFromStored = (object: KubeObject): KubeObject => ({
  ...object,
  apiVersion: 'batch/v1beta1',
});
