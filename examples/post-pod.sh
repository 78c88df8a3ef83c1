#!/bin/sh
# Posts nginx-pod.json with plain HTTP: no kubectl, only curl, the cluster's CA and the administrator's token.
#   examples/post-pod.sh [https://127.0.0.1:6443]
set -eu
server=${1:-https://127.0.0.1:6443}
here=$(dirname "$0")
data=${WHERRY_DATA_DIR:-/var/lib/wherry}
curl --fail-with-body --silent --show-error \
  --cacert "$data/master/pki/ca.crt" \
  --header @- \
  --header 'Content-Type: application/json' \
  --data-binary "@$here/nginx-pod.json" \
  "$server/api/v1/namespaces/default/pods" <<HEADER
Authorization: Bearer $(cat "$data/master/admin.token")
HEADER
