# What only a host with every capability, AppArmor and systemd shows: sourced by guest.sh. It looks from the host, at
# /proc/PID of the containers' first processes: a `kubectl exec` takes long on an emulated machine.

is() { local what=$1 got; shift; got=$("$@"); [ "$got" = "$what" ] || { echo "it is: $got"; return 1; }; }
# proc POD CONTAINER: /proc/PID of a container.
proc() {
  local id
  id=$(kubectl get pod "$1" -o "jsonpath={.status.containerStatuses[?(@.name==\"$2\")].containerID}")
  echo "/proc/$(docker inspect -f '{{.State.Pid}}' "${id#*://}")"
}
apparmor() { tr -d '\0' < "$1/attr/current"; }
line() { awk -v name="$2:" '$1 == name {print $2}' "$1/status"; }

securityPods() {
  cat <<'YAML'
apiVersion: v1
kind: Pod
metadata: {name: host}
spec:
  terminationGracePeriodSeconds: 1
  hostPID: true
  hostIPC: true
  containers:
    - {name: privileged, image: busybox, imagePullPolicy: IfNotPresent, command: [sleep, "36000"], securityContext: {privileged: true}}
    - {name: some, image: busybox, imagePullPolicy: IfNotPresent, command: [sleep, "36000"], securityContext: {capabilities: {add: [SYS_ADMIN, NET_ADMIN], drop: [CHOWN]}}}
---
apiVersion: v1
kind: Pod
metadata: {name: confined}
spec:
  terminationGracePeriodSeconds: 1
  securityContext:
    seccompProfile: {type: RuntimeDefault}
    sysctls: [{name: net.ipv4.ip_unprivileged_port_start, value: "80"}, {name: kernel.shm_rmid_forced, value: "1"}]
  containers:
    - {name: plain, image: busybox, imagePullPolicy: IfNotPresent, command: [sleep, "36000"]}
    - {name: unconfined, image: busybox, imagePullPolicy: IfNotPresent, command: [sleep, "36000"], securityContext: {appArmorProfile: {type: Unconfined}, seccompProfile: {type: Unconfined}}}
    - name: local
      image: busybox
      imagePullPolicy: IfNotPresent
      command: [sh, -c, "touch /etc/denied; mkdir /refused; touch /allowed; exec sleep 36000"]
      securityContext: {appArmorProfile: {type: Localhost, localhostProfile: wherry-guest}, seccompProfile: {type: Localhost, localhostProfile: guest.json}}
---
apiVersion: v1
kind: Pod
metadata: {name: unknown}
spec:
  terminationGracePeriodSeconds: 1
  containers:
    - {name: main, image: busybox, imagePullPolicy: IfNotPresent, command: [sleep, "36000"], securityContext: {appArmorProfile: {type: Localhost, localhostProfile: wherry-nobody}}}
---
apiVersion: v1
kind: Pod
metadata: {name: mounts}
spec:
  terminationGracePeriodSeconds: 1
  containers:
    - name: sender
      image: busybox
      imagePullPolicy: IfNotPresent
      command: [sh, -c, "until [ -e /shared/go ]; do sleep 1; done; mkdir /shared/t; mount -t tmpfs guest /shared/t; touch /shared/t/seen; exec sleep 36000"]
      securityContext: {privileged: true}
      volumeMounts: [{name: shared, mountPath: /shared, mountPropagation: Bidirectional}]
    - {name: receiver, image: busybox, imagePullPolicy: IfNotPresent, command: [sleep, "36000"], volumeMounts: [{name: shared, mountPath: /shared, mountPropagation: HostToContainer}]}
    - {name: none, image: busybox, imagePullPolicy: IfNotPresent, command: [sleep, "36000"], volumeMounts: [{name: shared, mountPath: /shared}]}
  volumes: [{name: shared, hostPath: {path: /var/lib/guest/shared, type: DirectoryOrCreate}}]
YAML
}

securityChecks() {
  local proc
  printf 'profile wherry-guest flags=(attach_disconnected,mediate_deleted) {\n  network,\n  capability,\n  file,\n  signal,\n  deny /etc/denied rwx,\n}\n' > "$state/profile"
  check 'the profile of AppArmor loads' apparmor_parser -r "$state/profile"
  mkdir -p /var/lib/wherry/agent/seccomp
  echo '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO"}]}' > /var/lib/wherry/agent/seccomp/guest.json
  securityPods | kubectl apply -f -
  check 'pods of every kind of confinement run' kubectl wait --for=condition=Ready pod/host pod/confined pod/mounts --timeout=900s

  proc=$(proc host privileged)
  check 'hostPID' is "$(readlink /proc/1/ns/pid)" readlink "$proc/ns/pid"
  check 'hostIPC' is "$(readlink /proc/1/ns/ipc)" readlink "$proc/ns/ipc"
  # Docker 20.10 knows the first 38.
  check 'privileged: every capability' test $((0x$(line "$proc" CapEff) & 0x3fffffffff)) = $((0x3fffffffff))
  check 'privileged: the disk' test -b "$proc/root/dev/vda"
  check 'privileged: no AppArmor' is unconfined apparmor "$proc"
  check 'privileged: no seccomp' is 0 line "$proc" Seccomp
  check 'capabilities are added and dropped' is 00000000a82435fa line "$(proc host some)" CapEff

  proc=$(proc confined plain)
  check 'AppArmor by default' is 'docker-default (enforce)' apparmor "$proc"
  check 'seccomp RuntimeDefault' is 2 line "$proc" Seccomp
  check 'a sysctl of the network' is 80 nsenter -t "${proc#/proc/}" -n cat /proc/sys/net/ipv4/ip_unprivileged_port_start
  check 'a sysctl of IPC' is 1 nsenter -t "${proc#/proc/}" -i cat /proc/sys/kernel/shm_rmid_forced
  proc=$(proc confined unconfined)
  check 'AppArmor Unconfined' is unconfined apparmor "$proc"
  check 'seccomp Unconfined' is 0 line "$proc" Seccomp
  proc=$(proc confined local)
  check 'AppArmor Localhost' is 'wherry-guest (enforce)' apparmor "$proc"
  check 'AppArmor Localhost denies' test ! -e "$proc/root/etc/denied"
  check 'seccomp Localhost refuses' test ! -e "$proc/root/refused"
  check 'both allow the rest' test -e "$proc/root/allowed"
  eventually 'an unknown profile of AppArmor is told' 60 bash -c 'kubectl describe pod unknown | sed -n "/^Events:/,\$p" | grep -i apparmor'
  kubectl get pod unknown

  touch /var/lib/guest/shared/go
  eventually 'Bidirectional: the host sees the mount' 30 test -e /var/lib/guest/shared/t/seen
  check 'HostToContainer: another container sees it' test -e "$(proc mounts receiver)/root/shared/t/seen"
  check 'None: another container does not see it' test ! -e "$(proc mounts none)/root/shared/t/seen"
  check 'the host unmounts it' umount /var/lib/guest/shared/t
  check 'HostToContainer: its end is seen too' test ! -e "$(proc mounts receiver)/root/shared/t/seen"
  forward
  kubectl delete pod host confined unknown mounts --wait=true
  check 'the profile of AppArmor goes' apparmor_parser -R "$state/profile"
}

# port-forward enters the pod's network namespace from the agent.
forward() {
  local pod pid
  pod=$(kubectl get pods -l app=nginx -o jsonpath='{.items[0].metadata.name}')
  kubectl port-forward "$pod" 18080:80 > /dev/null &
  pid=$!
  eventually 'port-forward' 60 bash -c "curl -sf -m 20 http://127.0.0.1:18080 | grep -q 'Welcome to nginx'"
  kill "$pid"
}
