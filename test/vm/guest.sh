#!/bin/bash
# Runs inside the machine that scripts/vm.mjs boots, once per boot. Stage 1 installs, breaks things and reboots; stage 2
# expects that everything runs again by itself, then uninstalls and expects the host as it was. Any failed step ends it
# with a verdict.
set -uo pipefail
exec > >(sed -u 's/^/guest: /' > /dev/ttyS0) 2>&1
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
export KUBECONFIG=/etc/wherry/admin.kubeconfig
state=/var/lib/guest
app=/opt/wherry
wherry=(node "$app/dist/src/cli/main.js")
units=(wherry-master.service wherry-agent.service)
mkdir -p "$state"

verdict() {
  sleep 1
  printf '\nGUEST: %s\n' "$1" > /dev/ttyS0
  sleep 1
  systemctl poweroff --force --force
  exit
}
die() {
  echo "failed: $*"
  kubectl get pods -A -o wide
  systemctl --no-pager --lines=0 status "${units[@]}"
  journalctl --no-pager --output=cat --lines=40 -u wherry-master -u wherry-agent | cut -c1-600
  verdict failed
}
check() {
  local what=$1
  shift
  if "$@"; then echo "ok: $what ($SECONDS s)"; else die "$what"; fi
}
# eventually WHAT SECONDS COMMAND...
eventually() {
  local what=$1 deadline=$((SECONDS + $2))
  shift 2
  until "$@" > /dev/null 2>&1; do
    if ((SECONDS >= deadline)); then "$@"; die "$what"; fi
    sleep 1
  done
  echo "ok: $what ($SECONDS s)"
}

# Its waits are for real machines; where the emulated one is slower than that, the second run goes on.
up() { "${wherry[@]}" up || { echo 'too slow, once more'; "${wherry[@]}" up; }; }
address() { ip -4 -o address show dev eth0 scope global | awk '{print $4}' | cut -d/ -f1; }
page() { curl -sf -m 5 "http://$(address):30080" | grep -q 'Welcome to nginx'; }
twoReady() { [ "$(kubectl get deployment nginx -o jsonpath='{.status.readyReplicas}')" = 2 ]; }
nodeReady() { kubectl get nodes --no-headers | grep -qw Ready; }
containers() { docker ps --no-trunc --format '{{.ID}} {{.CreatedAt}} {{.Names}}' | sort; }
mainPid() { systemctl show --property=MainPID --value "$1"; }
isAnother() { local now; now=$(mainPid "$1"); [ "$now" != 0 ] && [ "$now" != "$2" ]; }
active() { systemctl is-active --quiet "${units[@]}"; }
score() { systemd-analyze security --no-pager "$1" | awk '/Overall exposure level/ {print $(NF-2)}'; }
atMost() { awk -v is="$1" -v most="$2" 'BEGIN { exit !(is != "" && is <= most) }'; }

snapshot() {
  iptables-save | grep -v '^#' | sed 's/\[[0-9:]*\]//'
  ip -o link | awk '{print $2}' | sed 's/@.*//'
  ip route
  findmnt -rno TARGET | grep -v '^/proc/sys/fs/binfmt_misc' | sort
  docker ps -aq
  ls -d /sys/fs/cgroup/*/
  ls /etc/systemd/system /etc/systemd/system/multi-user.target.wants
  ls -d /etc/wherry /var/lib/wherry /var/log/wherry /run/wherry /opt/cni /var/lib/cni 2>&1
  systemctl list-units --all --no-legend --plain --type=slice,service,scope | awk '/wherry|kubepods/ {print $1}'
}

pods() {
  kubectl apply -f - <<'YAML'
apiVersion: v1
kind: Pod
metadata: {name: privileged}
spec:
  terminationGracePeriodSeconds: 1
  containers:
    - name: main
      image: nginx
      imagePullPolicy: IfNotPresent
      command: [sh, -c, "mkdir -p /mnt/t && mount -t tmpfs none /mnt/t && echo mounted && sleep 3600"]
      securityContext: {privileged: true}
---
apiVersion: v1
kind: Pod
metadata: {name: memory}
spec:
  terminationGracePeriodSeconds: 1
  containers:
    - name: main
      image: nginx
      imagePullPolicy: IfNotPresent
      command: [sh, -c, "grep ' /cache ' /proc/mounts && sleep 3600"]
      volumeMounts: [{name: cache, mountPath: /cache}]
      resources: {limits: {memory: 48Mi, cpu: 200m}}
  volumes:
    - name: cache
      emptyDir: {medium: Memory, sizeLimit: 8Mi}
YAML
}

stage1() {
  eventually 'docker answers' 180 docker info
  check 'systemd is PID 1' test "$(cat /proc/1/comm)" = systemd
  check 'cgroup v2' test -f /sys/fs/cgroup/cgroup.controllers
  check 'the image loads' docker load -q -i /opt/nginx.tar
  rm /opt/nginx.tar
  # The tables exist from the first look on, so look before the snapshot.
  for table in filter nat mangle; do iptables -t "$table" -L -n > /dev/null; done
  snapshot > "$state/before"

  check 'up' up
  check 'the page' page
  check 'both units are active' active
  check 'both units come up at boot' systemctl is-enabled --quiet "${units[@]}"
  check 'units verify' systemd-analyze verify "${units[@]/#//etc/systemd/system/}"
  for unit in "${units[@]}"; do echo "exposure of $unit: $(score "$unit")"; done
  check 'the master is confined' atMost "$(score wherry-master.service)" 2.0
  check 'the agent is in the mount namespace of the host' test "$(readlink "/proc/$(mainPid wherry-agent)/ns/mnt")" = "$(readlink /proc/1/ns/mnt)"
  kubectl get nodes,pods -o wide
  local driver
  driver=$(docker info -f '{{.CgroupDriver}}')
  echo "cgroup driver: $driver"
  check 'memory limits of nginx' test "$(find /sys/fs/cgroup/kubepods* -name memory.max -exec cat {} + | grep -cx 134217728)" = 4

  pods
  check 'a privileged pod and one with a memory volume run' kubectl wait --for=condition=Ready pod/privileged pod/memory --timeout=120s
  check 'the privileged pod mounted' test "$(kubectl logs privileged)" = mounted
  check 'the volume in memory is one for the container too' bash -c 'kubectl logs memory | grep -q "^tmpfs /cache"'
  check 'cpu and memory of a guaranteed pod' bash -c "find /sys/fs/cgroup/kubepods* -maxdepth 1 -name '*pod*' -exec cat {}/cpu.max {}/memory.max \; | tr '\n' ' ' | grep -q '20000 100000 50331648'"
  kubectl delete pod privileged memory --wait=true
  containers > "$state/containers"

  check 'a second up' up
  check 'it changed nothing' diff "$state/containers" <(containers)

  systemctl kill --signal=KILL "${units[@]}"
  eventually 'the API is back after kill -9' 120 nodeReady
  eventually 'both units are active again' 120 active
  check 'no container was touched by kill -9' diff "$state/containers" <(containers)
  check 'the page after kill -9' page

  hang

  local agent
  agent=$(mainPid wherry-agent)
  systemctl restart docker
  eventually 'docker answers after its restart' 60 docker info
  eventually 'two pods are ready after a restart of docker' 180 twoReady
  eventually 'the page after a restart of docker' 60 page
  check 'the agent lived through it' test "$(mainPid wherry-agent)" = "$agent"

  touch "$state/stage1"
  echo 'rebooting'
  sync
  systemctl reboot
}

# The watchdog, with less patience than the units have: a stopped process says nothing and is started anew.
hang() {
  local unit before
  for unit in "${units[@]}"; do
    mkdir -p "/run/systemd/system/$unit.d"
    printf '[Service]\nWatchdogSec=40\nTimeoutAbortSec=5\n' > "/run/systemd/system/$unit.d/test.conf"
  done
  systemctl daemon-reload
  systemctl restart "${units[@]}"
  check 'both units start with a short watchdog' active
  sleep 50
  check 'the watchdog is fed' test "$(systemctl show --property=NRestarts --value wherry-master)$(systemctl show --property=NRestarts --value wherry-agent)" = 00
  for unit in "${units[@]}"; do
    before=$(mainPid "$unit")
    kill -STOP "$before"
    eventually "systemd replaces a hanging $unit" 90 isAnother "$unit" "$before"
  done
  eventually 'both units are active after the watchdog' 120 active
  eventually 'the node is ready after the watchdog' 60 nodeReady
  check 'no container was touched by the watchdog' diff "$state/containers" <(containers)
  rm -r /run/systemd/system/wherry-*.d
  systemctl daemon-reload
  systemctl restart "${units[@]}"
  check 'both units are active with their own watchdog' active
}

stage2() {
  eventually 'docker answers' 180 docker info
  eventually 'the API answers after a reboot' 180 nodeReady
  eventually 'two pods are ready after a reboot' 240 twoReady
  eventually 'the page after a reboot' 60 page
  check 'both units are active' active
  kubectl get nodes,pods -o wide
  cgroupTest
  check 'down' "${wherry[@]}" down --purge
  snapshot > "$state/after"
  check 'the host is as it was' diff "$state/before" "$state/after"
  check 'no process is left' bash -c '! pgrep -f "[w]herry[ /]"'
  verdict passed
}

# On this driver and this version of cgroups no other test of the project runs.
cgroupTest() {
  check 'cgroups of pods on this kernel' env TAP_TIMEOUT=300 node "$app/dist/agent/cgroups/cgroups.root.test.js"
  docker rmi wherry-test/busybox:1 > /dev/null
}

if [ -e "$state/stage1" ]; then stage2; else stage1; fi
