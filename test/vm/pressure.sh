# A host with little memory: sourced by guest.sh.

hogPods() {
  cat <<'YAML'
apiVersion: v1
kind: Pod
metadata: {name: hog}
spec:
  terminationGracePeriodSeconds: 1
  restartPolicy: Never
  containers:
    - {name: main, image: busybox, imagePullPolicy: IfNotPresent, command: [sh, -c, "for i in 1 2 3 4 5 6 7 8 9 10 11 12; do dd if=/dev/zero of=/cache/$i bs=1M count=64; sleep 3; done; sleep 36000"], volumeMounts: [{name: cache, mountPath: /cache}]}
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

isOver() { [ "$(kubectl get pod hog -o jsonpath='{.status.phase}')" = Failed ]; }

pressureChecks() {
  free -m
  hogPods | kubectl apply -f -
  eventually 'the hog is over' 400 isOver
  kubectl get pod hog -o jsonpath='{.status.reason}: {.status.message}{"\n"}'
  kubectl get pods -A -o wide
  kubectl get events --field-selector involvedObject.name=hog
  check 'the modest pod lives' kubectl wait --for=condition=Ready pod/modest --timeout=60s
  eventually 'the node is Ready' 60 nodeReady
  eventually 'the page is there' 60 page
  check 'master and agent were spared' active
  eventually 'the pressure is over' 400 bash -c "kubectl get node vm -o jsonpath='{.status.conditions[?(@.type==\"MemoryPressure\")].status}' | grep -q False"
  kubectl delete pod hog modest --wait=true
}
