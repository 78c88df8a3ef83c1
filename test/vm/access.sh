# Who may read and ask what: sourced by guest.sh, which needs the pods of the example and the functions of security.sh.

# ask PROC PATH: the API by its name, as a container whose files are below PROC would.
ask() {
  local dir=$1/root/var/run/secrets/kubernetes.io/serviceaccount address
  address=$(awk '$NF == "kubernetes.default" {print $1}' "$1/root/etc/hosts")
  nsenter -t "${1#/proc/}" -n curl -s -m 60 --cacert "$dir/ca.crt" --resolve "kubernetes.default:443:$address" \
    -H "Authorization: Bearer $(cat "$dir/token")" "https://kubernetes.default$2"
}
asks() { ask "$1" "$2" | grep "$3"; }
readableByOthers() {
  find /etc/wherry /var/lib/wherry/master /var/lib/wherry/agent/pki -type f \( -perm /007 -o -name '*.key' -perm /077 \)
}
errors() { journalctl --no-pager --output=cat -u wherry-master -u wherry-agent | grep -E '"level":"(error|fatal)"'; }

accessChecks() {
  local proc
  proc=$(proc "$(kubectl get pods -l app=nginx -o 'jsonpath={.items[0].metadata.name}')" nginx)
  eventually 'a pod reaches the API by its name' 60 asks "$proc" /version '"gitVersion"'
  eventually 'its token says who it is, and allows no more' 60 \
    asks "$proc" /api/v1/namespaces/default/secrets 'system:serviceaccount:default:default.* cannot list resource'
  check 'keys and secrets are for their owners' is '' readableByOthers
  check 'no error was logged' is '' errors
}
