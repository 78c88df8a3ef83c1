# What the kernel was told about pods: sourced by guest.sh, for both cgroup drivers.

read_() { cat "/sys/fs/cgroup/$1" 2> /dev/null; }
uid() { kubectl get pod "$1" -o jsonpath='{.metadata.uid}'; }
# The cgroup of a pod, below /sys/fs/cgroup.
podDir() {
  local uid
  uid=$(uid "$1")
  (cd /sys/fs/cgroup && find kubepods* -maxdepth 3 -type d \( -name "pod$uid" -o -name "*-pod${uid//-/_}.slice" \))
}
# The cgroup of a pod's container that runs `sleep`.
containerDir() {
  local id
  id=$(kubectl get pod "$1" -o jsonpath='{.status.containerStatuses[0].containerID}')
  (cd /sys/fs/cgroup && find kubepods* -type d -name "*${id#*://}*")
}
holds() { [ "$(read_ "$1")" = "$2" ] || { echo "$1: $(read_ "$1"), not $2"; return 1; }; }

cgroupPods() {
  kubectl apply -f - <<'YAML'
apiVersion: v1
kind: Pod
metadata: {name: guaranteed}
spec:
  terminationGracePeriodSeconds: 1
  containers:
    - {name: main, image: busybox, imagePullPolicy: IfNotPresent, command: [sleep, "36000"], resources: {limits: {memory: 48Mi, cpu: 200m, hugepages-2Mi: 4Mi}}}
---
apiVersion: v1
kind: Pod
metadata: {name: burstable}
spec:
  terminationGracePeriodSeconds: 1
  containers:
    - {name: main, image: busybox, imagePullPolicy: IfNotPresent, command: [sleep, "36000"], resources: {requests: {memory: 32Mi, cpu: 100m}, limits: {memory: 64Mi, cpu: 500m}}}
---
apiVersion: v1
kind: Pod
metadata: {name: besteffort}
spec:
  terminationGracePeriodSeconds: 1
  containers:
    - {name: main, image: busybox, imagePullPolicy: IfNotPresent, command: [sleep, "36000"]}
---
apiVersion: v1
kind: Pod
metadata: {name: greedy}
spec:
  terminationGracePeriodSeconds: 1
  containers:
    - {name: main, image: busybox, imagePullPolicy: IfNotPresent, command: [dd, if=/dev/zero, of=/dev/null, bs=64M, count=1], resources: {limits: {memory: 16Mi}}}
YAML
}

cgroupChecks() {
  local top pod container driver
  driver=$(docker info -f '{{.CgroupDriver}}')
  echo "cgroup driver: $driver"
  cgroupPods
  check 'pods of every class run' kubectl wait --for=condition=Ready pod/guaranteed pod/burstable pod/besteffort --timeout=600s
  case $driver in
    systemd) top=kubepods.slice ;;
    *) top=kubepods ;;
  esac
  check 'all pods are held to what is not reserved' holds "$top/memory.max" $(($(awk '/MemTotal/ {print $2}' /proc/meminfo) * 1024 - 100 * 1024 * 1024))
  check 'no pod is swapped out' holds "$top/memory.swap.max" 0
  check 'the weight of all pods' holds "$top/cpu.weight" "$(weight $(($(nproc) * 1000 - 100)))"

  pod=$(podDir guaranteed)
  check 'a guaranteed pod is below the top' test "$(dirname "$pod")" = "$top"
  check 'memory of a guaranteed pod' holds "$pod/memory.max" 50331648
  check 'cpu of a guaranteed pod' holds "$pod/cpu.max" '20000 100000'
  check 'weight of a guaranteed pod' holds "$pod/cpu.weight" "$(weight 200)"
  check 'pids of a guaranteed pod' holds "$pod/pids.max" 500
  # Docker has no such limit for a container of its own.
  check 'huge pages of a pod that asks' holds "$pod/hugetlb.2MB.max" 4194304
  container=$(containerDir guaranteed)
  check 'the container is in its pod' test "$(dirname "$container")" = "$pod"
  check 'memory of its container' holds "$container/memory.max" 50331648
  check 'no swap for its container' holds "$container/memory.swap.max" 0
  check 'cpu of its container' holds "$container/cpu.max" '20000 100000'
  check 'it is protected from the killer' test "$(score_ guaranteed)" = -997

  pod=$(podDir burstable)
  check 'a burstable pod is in its class' test "$(basename "$(dirname "$pod")" .slice | sed 's/.*-//')" = burstable
  check 'memory of a burstable pod' holds "$pod/memory.max" 67108864
  check 'cpu of a burstable pod' holds "$pod/cpu.max" '50000 100000'
  check 'weight of a burstable pod' holds "$pod/cpu.weight" "$(weight 100)"
  check 'huge pages of a pod that does not ask' holds "$pod/hugetlb.2MB.max" 0
  pod=$(podDir besteffort)
  check 'a best-effort pod is in its class' test "$(basename "$(dirname "$pod")" .slice | sed 's/.*-//')" = besteffort
  check 'memory of a best-effort pod' holds "$pod/memory.max" max
  check 'weight of the best-effort class' holds "$(dirname "$pod")/cpu.weight" 1
  check 'a best-effort pod goes first' test "$(score_ besteffort)" = 1000

  eventually 'OOMKilled is seen' 120 bash -c "kubectl get pod greedy -o jsonpath='{.status.containerStatuses[0]}' | grep -q 'OOMKilled.*137\|137.*OOMKilled'"
  resize
  eventually 'kubectl top shows pods' 90 bash -c 'kubectl top pod guaranteed --no-headers | grep -Eq "guaranteed +[0-9]+m +[0-9]+Mi"'
  check 'kubectl top shows the node' bash -c 'kubectl top node --no-headers | grep -Eq "^vm +[1-9]"'
  kubectl get --raw /api/v1/nodes/vm/proxy/stats/summary > "$state/summary.json"
  check 'the summary has cpu and memory of node and pods' node "$vm/summary.mjs" "$state/summary.json"

  local dirs unit
  dirs=$(for name in guaranteed burstable besteffort greedy; do podDir "$name"; done)
  kubectl delete pod guaranteed burstable besteffort greedy --wait=true
  for pod in $dirs; do
    eventually "$(basename "$pod") is gone" 30 test ! -e "/sys/fs/cgroup/$pod"
    unit=$(basename "$pod")
    case $unit in *.slice) check 'systemd knows it no more' test -z "$(systemctl list-units --all --no-legend --plain "$unit")" ;; esac
  done
}

# The weight on cgroup v2 of so many thousandths of a CPU.
weight() { local shares=$(($1 * 1024 / 1000)); echo $((1 + (shares - 2) * 9999 / 262142)); }
score_() {
  local id
  id=$(kubectl get pod "$1" -o jsonpath='{.status.containerStatuses[0].containerID}')
  cat "/proc/$(docker inspect -f '{{.State.Pid}}' "${id#*://}")/oom_score_adj"
}

# In place: kubectl of this Debian knows no --subresource.
resize() {
  local path=/api/v1/namespaces/default/pods/guaranteed before after pod container
  before=$(kubectl get pod guaranteed -o jsonpath='{.status.containerStatuses[0].containerID} {.status.containerStatuses[0].restartCount}')
  kubectl get --raw "$path" | sed 's/"cpu":"200m"/"cpu":"300m"/g; s/"memory":"48Mi"/"memory":"64Mi"/g' > "$state/resize.json"
  check 'a resize is accepted' kubectl replace --raw "$path/resize" -f "$state/resize.json" > /dev/null
  pod=$(podDir guaranteed)
  container=$(containerDir guaranteed)
  eventually 'the pod has more memory' 60 holds "$pod/memory.max" 67108864
  eventually 'its container has more memory' 60 holds "$container/memory.max" 67108864
  eventually 'the pod has more cpu' 60 holds "$pod/cpu.max" '30000 100000'
  eventually 'its container has more cpu' 60 holds "$container/cpu.max" '30000 100000'
  check 'its container has no swap still' holds "$container/memory.swap.max" 0
  after=$(kubectl get pod guaranteed -o jsonpath='{.status.containerStatuses[0].containerID} {.status.containerStatuses[0].restartCount}')
  check 'it was not restarted' test "$before" = "$after"
  eventually 'the status says the new size' 60 bash -c "kubectl get --raw $path | grep -q '\"status\".*\"cpu\":\"300m\".*'"
}
