#!/bin/bash
# Runs inside the machine that scripts/vm.mjs boots, once per boot. Any failed step ends it with a verdict.
#   1  installs, breaks things, looks at cgroups and confinement, reboots
#   2  expects that pods ended in order and run again; changes Docker to cgroupfs, looks again, reboots
#   3  has 1 GB of memory and a pod that wants more; then uninstalls and expects the host as it was
# With guest=pressure on the kernel's command line only the third, after an installation.
set -uo pipefail
exec > >(sed -u 's/^/guest: /' > /dev/ttyS0) 2>&1
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
export KUBECONFIG=/etc/wherry/admin.kubeconfig
state=/var/lib/guest
app=/opt/wherry
vm=$(dirname "$0")
wherry=(node "$app/dist/src/cli/main.js")
units=(wherry-master.service wherry-agent.service)
mkdir -p "$state"
for part in cgroups security access shutdown pressure; do . "$vm/$part.sh"; done

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
# eventually WHAT SECONDS COMMAND... The seconds are those of a slow real machine; an emulated one gets four times that.
eventually() {
  local what=$1 deadline=$((SECONDS + 4 * $2))
  shift 2
  until "$@" > /dev/null 2>&1; do
    if ((SECONDS >= deadline)); then "$@"; die "$what"; fi
    sleep 1
  done
  echo "ok: $what ($SECONDS s)"
}

# Its waits are for real machines; where the emulated one is slower than that, the next run goes on.
up() {
  local tries
  for tries in 1 2 3 4 5; do
    "${wherry[@]}" up && return
    echo "try $tries was not fast enough"
  done
  return 1
}
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
  cut -d: -f1 /etc/passwd /etc/group
  ls -d /etc/wherry /var/lib/wherry /var/log/wherry /run/wherry /opt/cni /var/lib/cni 2>&1
  systemctl list-units --all --no-legend --plain --type=slice,service,scope | awk '/wherry|kubepods/ {print $1}'
}

install() {
  eventually 'docker answers' 180 docker info
  check 'systemd is PID 1' test "$(cat /proc/1/comm)" = systemd
  check 'cgroup v2' test -f /sys/fs/cgroup/cgroup.controllers
  check 'the images load' docker load -q -i /opt/images.tar
  # The tables exist from the first look on, so look before the snapshot.
  for table in filter nat mangle; do iptables -t "$table" -L -n > /dev/null; done
  snapshot > "$state/before"

  check 'up' up
}

stage1() {
  install
  check 'the page' page
  check 'both units are active' active
  check 'both units come up at boot' systemctl is-enabled --quiet "${units[@]}"
  check 'units verify' systemd-analyze verify "${units[@]/#//etc/systemd/system/}"
  for unit in "${units[@]}"; do echo "exposure of $unit: $(score "$unit")"; done
  check 'the master is confined' atMost "$(score wherry-master.service)" 1.5
  check 'the master is the user wherry' test "$(ps -o user= -p "$(mainPid wherry-master)")" = wherry
  check 'it has no capability' grep -q '^CapEff:\s*0*$' "/proc/$(mainPid wherry-master)/status"
  check 'its kubeconfig is for nobody else' test "$(stat -c '%a %U' /etc/wherry/admin.kubeconfig)" = '600 wherry'
  check 'the agent is in the mount namespace of the host' test "$(readlink "/proc/$(mainPid wherry-agent)/ns/mnt")" = "$(readlink /proc/1/ns/mnt)"
  kubectl get nodes,pods -o wide
  accessChecks
  containers > "$state/containers"

  check 'a second up' up
  check 'it changed nothing' diff "$state/containers" <(containers)

  systemctl kill --signal=KILL "${units[@]}"
  eventually 'the API is back after kill -9' 120 nodeReady
  eventually 'both units are active again' 120 active
  check 'no container was touched by kill -9' diff "$state/containers" <(containers)
  check 'the page after kill -9' page

  hang
  settings
  cgroupChecks
  securityChecks

  local agent
  agent=$(mainPid wherry-agent)
  systemctl restart docker
  eventually 'docker answers after its restart' 60 docker info
  eventually 'two pods are ready after a restart of docker' 180 twoReady
  eventually 'the page after a restart of docker' 60 page
  check 'the agent lived through it' test "$(mainPid wherry-agent)" = "$agent"

  prepareShutdown
  reboot_ 1
}

reboot_() {
  touch "$state/stage$1"
  echo 'rebooting'
  sync
  systemctl reboot
}

# Flags that the checks of cgroups, shutdown and pressure want; an agent that starts again touches no container.
settings() {
  printf 'system-reserved: memory=100Mi,cpu=100m\nshutdown-grace-period: 240s\nshutdown-grace-period-critical-pods: 100s\npod-max-pids: 500\neviction-pressure-transition-period: 2m\n' >> /etc/wherry/agent.yaml
  systemctl restart wherry-agent
  eventually 'the node is ready with other flags' 120 nodeReady
  check 'no container was touched by other flags' diff "$state/containers" <(containers)
}

# The watchdog, with less patience than the units have: a stopped process says nothing and is started anew.
hang() {
  local unit before
  for unit in "${units[@]}"; do
    mkdir -p "/run/systemd/system/$unit.d"
    printf '[Service]\nWatchdogSec=80\nTimeoutAbortSec=5\n' > "/run/systemd/system/$unit.d/test.conf"
  done
  systemctl daemon-reload
  systemctl restart "${units[@]}"
  check 'both units start with a short watchdog' active
  sleep 90
  check 'the watchdog is fed' test "$(systemctl show --property=NRestarts --value wherry-master)$(systemctl show --property=NRestarts --value wherry-agent)" = 00
  for unit in "${units[@]}"; do
    before=$(mainPid "$unit")
    kill -STOP "$before"
    eventually "systemd replaces a hanging $unit" 120 isAnother "$unit" "$before"
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
  eventually 'the API answers after a reboot' 300 nodeReady
  eventually 'two pods are ready after a reboot' 300 twoReady
  eventually 'the page after a reboot' 60 page
  check 'both units are active' active
  kubectl get nodes,pods -A -o wide
  afterShutdown
  cgroupTest
  uninstall

  echo '{"exec-opts": ["native.cgroupdriver=cgroupfs"]}' > /etc/docker/daemon.json
  systemctl restart docker
  snapshot > "$state/before"
  check 'up with cgroupfs' up
  containers > "$state/containers"
  settings
  cgroupChecks
  reboot_ 2
}

stage3() {
  eventually 'docker answers' 180 docker info
  eventually 'the API answers with little memory' 300 nodeReady
  eventually 'two pods are ready with little memory' 300 twoReady
  eventually 'the page with little memory' 60 page
  pressureChecks
  uninstall
  verdict passed
}

uninstall() {
  check 'down' "${wherry[@]}" down --purge
  snapshot > "$state/after"
  check 'the host is as it was' diff "$state/before" "$state/after"
  check 'no process is left' bash -c '! pgrep -f "[w]herry[ /]"'
}

# On this driver and this version of cgroups no other test of the project runs.
cgroupTest() {
  check 'cgroups of pods on this kernel' env TAP_TIMEOUT=300 node "$app/dist/agent/cgroups/cgroups.root.test.js"
  docker rmi wherry-test/busybox:1 > /dev/null
}

if grep -qw guest=pressure /proc/cmdline; then
  install
  containers > "$state/containers"
  settings
  stage3
elif [ -e "$state/stage2" ]; then
  stage3
elif [ -e "$state/stage1" ]; then
  stage2
else
  stage1
fi
