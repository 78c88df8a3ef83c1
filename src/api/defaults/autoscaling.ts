/**
 * Defaults of HorizontalPodAutoscalers, as documented for autoscaling/v2. Pure; changes its argument.
 */
import type { HorizontalPodAutoscaler, HorizontalPodAutoscalerSpec, HPAScalingRules } from '../types.js';

const PERIOD_SECONDS = 15;
const CPU_PERCENT = 80;

/** Doubled every 15 s, or four pods more, whichever is more. */
const scaleUp = (): HPAScalingRules => ({
  stabilizationWindowSeconds: 0,
  selectPolicy: 'Max',
  policies: [
    { type: 'Pods', value: 4, periodSeconds: PERIOD_SECONDS },
    { type: 'Percent', value: 100, periodSeconds: PERIOD_SECONDS },
  ],
});

/** All at once; how long to wait before is the controller's setting. */
const scaleDown = (): HPAScalingRules => ({
  selectPolicy: 'Max',
  policies: [{ type: 'Percent', value: 100, periodSeconds: PERIOD_SECONDS }],
});

export function defaultAutoscaler(autoscaler: HorizontalPodAutoscaler): void {
  autoscaler.spec ??= {} as HorizontalPodAutoscalerSpec;
  const { spec } = autoscaler;
  spec.minReplicas ??= 1;
  if (!spec.metrics?.length) {
    const target = { type: 'Utilization', averageUtilization: CPU_PERCENT };
    spec.metrics = [{ type: 'Resource', resource: { name: 'cpu', target } }];
  }
  if (!spec.behavior) return;
  spec.behavior.scaleUp = withRules(scaleUp(), spec.behavior.scaleUp);
  spec.behavior.scaleDown = withRules(scaleDown(), spec.behavior.scaleDown);
}

function withRules(rules: HPAScalingRules, given: HPAScalingRules | undefined): HPAScalingRules {
  const { stabilizationWindowSeconds: seconds, selectPolicy, policies, tolerance } = given ?? {};
  return {
    ...rules,
    ...(seconds !== undefined && { stabilizationWindowSeconds: seconds }),
    ...(selectPolicy !== undefined && { selectPolicy }),
    ...(policies !== undefined && { policies }),
    ...(tolerance !== undefined && { tolerance }),
  };
}
