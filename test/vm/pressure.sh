# A host with little memory: sourced by guest.sh.

# The hog eats until little is left, then at 1 MB/s or less: the agent looks every ten seconds, as kubelet does, and
# whoever eats the last 100 MiB faster than that meets the kernel's killer first.
hogPods() {
  cat <<'YAML'
apiVersion: v1
kind: Pod
metadata: {name: hog}
spec:
  terminationGracePeriodSeconds: 1
  restartPolicy: Never
  containers:
    - name: main
      image: busybox
      imagePullPolicy: IfNotPresent
      command:
        - sh
        - -c
        - |
          left() { awk '/^(MemFree|Inactive.file.):/ {kib += $2} END {print int(kib / 1024)}' /proc/meminfo; }
          for i in $(seq 500); do
            if [ $(left) -gt 200 ]; then count=32; else count=2; fi
            dd if=/dev/zero of=/cache/$i bs=1M count=$count
            sleep 2
          done
          sleep 36000
      volumeMounts: [{name: cache, mountPath: /cache}]
  volumes: [{name: cache, emptyDir: {medium: Memory}}]
---
apiVersion: v1
kind: Pod
metadata: {name: modest}
spec:
  terminationGracePeriodSeconds: 1
  containers:
    - {name: main, image: busybox, imagePullPolicy: IfNotPresent, command: [sleep, "36000"], resources: {requests: {memory: 16Mi}, limits: {memory: 16Mi}}}
YAML
}

applyHog() { hogPods | kubectl apply -f -; }
# Not asked all the time: that would be more work for this machine than everything else.
isOver() { sleep 5; [ "$(kubectl get pod hog -o jsonpath='{.status.phase}')" = Failed ]; }
isPressed() { [ "$(kubectl get node vm -o jsonpath='{.status.conditions[?(@.type=="MemoryPressure")].status}')" = "$1" ]; }
taint() { kubectl get node vm -o 'jsonpath={.spec.taints[?(@.key=="node.kubernetes.io/memory-pressure")].effect}'; }
isTainted() { [ "$(taint)" = "$1" ]; }
mountsOf() { findmnt -rno TARGET | grep "$1"; }
kills() { awk '$1 == "oom_kill" {print $2}' /proc/vmstat; }

pressureChecks() {
  local uid pids
  pids="$(mainPid wherry-master) $(mainPid wherry-agent)"
  free -m
  eventually 'the pods are accepted' 60 applyHog
  check 'the hog and the modest pod start' kubectl wait --for=condition=Ready pod/hog pod/modest --timeout=600s
  uid=$(uid hog)
  check 'the hog has its memory' mountsOf "$uid"
  eventually 'the hog is over' 400 isOver
  eventually 'MemoryPressure is told' 10 isPressed True
  eventually 'the node has the taint' 10 isTainted NoSchedule
  free -m
  echo "the kernel killed: $(kills)"
  kubectl get pod hog -o jsonpath='{.status.reason}: {.status.message}{"\n"}'
  kubectl get pods -A -o wide
  check 'it was evicted, for memory' bash -c "kubectl get pod hog -o jsonpath='{.status.reason}: {.status.message}' | grep -E '^Evicted: The node was low on resource: memory\. Threshold quantity: 100Mi, available: [0-9]+Ki\. Container main was using [0-9]+Ki, request is 0, has larger consumption of memory\. $'"
  check 'its condition says so' is 'True TerminationByKubelet' kubectl get pod hog -o 'jsonpath={.status.conditions[?(@.type=="DisruptionTarget")].status} {.status.conditions[?(@.type=="DisruptionTarget")].reason}'
  check 'events tell' bash -c 'for reason in Evicted EvictionThresholdMet NodeHasInsufficientMemory; do kubectl get events -A | grep -w "$reason" || exit; done'
  eventually 'its memory is free' 30 bash -c "! findmnt -rno TARGET | grep $uid"
  check 'the modest pod lives' is '0 true' kubectl get pod modest -o 'jsonpath={.status.containerStatuses[0].restartCount} {.status.containerStatuses[0].ready}'
  check 'two pods are ready still' twoReady
  eventually 'the node is Ready' 60 nodeReady
  eventually 'the page is there' 60 page
  check 'master and agent were spared' is "$pids" bash -c 'systemctl show --property=MainPID --value wherry-master wherry-agent | xargs'
  eventually 'the pressure is over' 150 isPressed False
  eventually 'the taint is gone' 30 isTainted ''
  kubectl delete pod hog modest --wait=true
}
