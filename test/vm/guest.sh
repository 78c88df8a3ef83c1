#!/bin/bash
# Runs inside the machine that scripts/vm.mjs boots, once per boot. Stage 1 installs and reboots; stage 2 expects that
# everything runs again by itself, then uninstalls and expects the host as it was. Any failed step ends it with a verdict.
set -uo pipefail
exec > >(sed -u 's/^/guest: /' > /dev/ttyS0) 2>&1
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
state=/var/lib/guest
wherry=(node /opt/wherry/dist/src/cli/main.js)
export KUBECONFIG=/etc/wherry/admin.kubeconfig
mkdir -p "$state"

verdict() { sleep 1; printf '\nGUEST: %s\n' "$1" > /dev/ttyS0; sleep 1; systemctl poweroff --force --force; exit; }
die() {
  echo "failed: $*"
  systemctl --no-pager status wherry-master wherry-agent | tail -60
  journalctl --no-pager -u wherry-master -u wherry-agent -n 40
  verdict failed
}
check() { local what=$1; shift; if "$@"; then echo "ok: $what"; else die "$what"; fi; }
eventually() { local what=$1 tries=$2; shift 2; for ((i = 0; i < tries; i++)); do "$@" > /dev/null 2>&1 && { echo "ok: $what after $i s"; return; }; sleep 1; done; "$@"; die "$what"; }

address() { ip -4 -o address show dev eth0 scope global | awk '{print $4}' | cut -d/ -f1; }
page() { curl -sf -m 5 "http://$(address):30080" | grep -q 'Welcome to nginx'; }
twoReady() { [ "$(kubectl get deployment nginx -o jsonpath='{.status.readyReplicas}')" = 2 ]; }
containers() { docker ps --no-trunc --format '{{.ID}} {{.CreatedAt}} {{.Names}}' | grep k8s_ | sort; }
snapshot() {
  iptables-save | grep -v '^#' | sed 's/\[[0-9:]*\]//'
  ip -o link | awk '{print $2}' | sed 's/@.*//'
  ip route
  findmnt -rno TARGET | grep -v '^/proc/sys/fs/binfmt_misc' | sort
  docker ps -aq
  ls -d /sys/fs/cgroup/*/
  ls /etc/systemd/system
}

stage1() {
  eventually 'docker answers' 120 docker info
  check 'the image loads' docker load -q -i /opt/nginx.tar
  iptables -L -n > /dev/null; iptables -t nat -L -n > /dev/null; iptables -t mangle -L -n > /dev/null
  snapshot > "$state/before"
  check 'units verify' systemd-analyze verify /opt/wherry/systemd/wherry-master.service /opt/wherry/systemd/wherry-agent.service
  check 'up' "${wherry[@]}" up
  check 'the page' page
  check 'both units are active' systemctl is-active --quiet wherry-master wherry-agent
  kubectl get nodes -o wide; kubectl get pods -o wide
  check 'cgroup v2' test -f /sys/fs/cgroup/cgroup.controllers
  check 'the memory limit is in the pod cgroup' bash -c "cat \$(find /sys/fs/cgroup/kubepods* -name memory.max) | grep -qx 134217728"
  kubectl apply -f - <<'YAML'
apiVersion: v1
kind: Pod
metadata: {name: privileged}
spec:
  containers:
  - {name: main, image: nginx, imagePullPolicy: IfNotPresent, command: [sleep, "3600"], securityContext: {privileged: true}}
YAML
  check 'a privileged pod runs' kubectl wait --for=condition=Ready pod/privileged --timeout=60s
  kubectl delete pod privileged --grace-period=0 --force --wait=true
  sleep 2
  containers > "$state/containers"
  systemctl kill -s KILL wherry-agent wherry-master
  eventually 'the API is back after kill -9' 60 kubectl get nodes
  eventually 'both units are active again' 60 systemctl is-active --quiet wherry-master wherry-agent
  sleep 15
  check 'no container was touched' diff "$state/containers" <(containers)
  check 'the page after kill -9' page
  systemd-analyze security --no-pager wherry-master.service | tail -1
  systemd-analyze security --no-pager wherry-agent.service | tail -1
  touch "$state/stage1"
  echo 'rebooting'
  sync
  systemctl reboot
}

stage2() {
  eventually 'docker answers' 120 docker info
  eventually 'the API answers after a reboot' 120 kubectl get nodes
  eventually 'two pods are ready after a reboot' 180 twoReady
  eventually 'the page after a reboot' 60 page
  kubectl get nodes,pods -o wide
  check 'down' "${wherry[@]}" down --purge
  snapshot > "$state/after"
  check 'the host is as it was' diff "$state/before" "$state/after"
  check 'no process is left' bash -c '! pgrep -f wherry/dist'
  verdict passed
}

if [ -e "$state/stage1" ]; then stage2; else stage1; fi
