# A host that goes down waits until its pods have ended in order: sourced by guest.sh. Before and after a reboot.

shutdownPods() {
  local name
  for name in ordinary critical; do
    cat <<YAML
---
apiVersion: v1
kind: Pod
metadata: {name: $name, namespace: kube-system}
spec:
  terminationGracePeriodSeconds: 90
  $([ "$name" = critical ] && echo 'priorityClassName: system-node-critical')
  containers:
    - name: main
      image: busybox
      imagePullPolicy: IfNotPresent
      command: [sh, -c, "trap 'echo $name term \$(cat /proc/uptime) >> /order/log; sync; exit 0' TERM; while :; do sleep 1; done"]
      volumeMounts: [{name: order, mountPath: /order}]
      lifecycle: {preStop: {exec: {command: [sh, -c, "echo $name hook \$(cat /proc/uptime) >> /order/log; sync; sleep 2"]}}}
  volumes: [{name: order, hostPath: {path: /var/lib/guest/order, type: DirectoryOrCreate}}]
YAML
  done
}

# The times are those of an emulated machine: a hook takes it ten seconds or more.
prepareShutdown() {
  shutdownPods | kubectl apply -f -
  check 'pods with hooks run' kubectl -n kube-system wait --for=condition=Ready pod/ordinary pod/critical --timeout=200s
  eventually 'the shutdown is delayed' 60 bash -c 'systemd-inhibit --list --no-pager | grep -E "wherry-agent.*shutdown.*delay"'
  systemd-inhibit --list --no-pager
  check 'the delay is as long as it must be' test "$(busctl get-property org.freedesktop.login1 /org/freedesktop/login1 org.freedesktop.login1.Manager InhibitDelayMaxUSec)" = 't 242000000'
}

afterShutdown() {
  cat /var/lib/guest/order/log
  check 'pods ended in order, hooks first' is 'ordinary hook,ordinary term,critical hook,critical term' bash -c "head -4 /var/lib/guest/order/log | cut -d' ' -f1,2 | paste -sd,"
  check 'the critical pod is Failed' is 'Failed Terminated' kubectl -n kube-system get pod critical -o 'jsonpath={.status.phase} {.status.reason}'
  check 'the ordinary pod is Failed' is 'Failed Terminated' kubectl -n kube-system get pod ordinary -o 'jsonpath={.status.phase} {.status.reason}'
  check 'its condition says why' is 'True TerminationByKubelet' kubectl -n kube-system get pod ordinary -o 'jsonpath={.status.conditions[?(@.type=="DisruptionTarget")].status} {.status.conditions[?(@.type=="DisruptionTarget")].reason}'
  check 'they can be deleted' kubectl -n kube-system delete pod ordinary critical --wait=true --timeout=60s
}
