#!/usr/bin/env bash
# Serve another version of the bundle with the release that runs, without a gap:
#   deploy/pipeline/weights.sh release.env bundles/own
# A worker of it is tried apart from all callers. Then workers of it start beside the old ones and are
# promoted; when it does not serve, the version before is promoted again.
# 0: done. 1: it does not serve, and the old one goes on. 2: nothing was begun.
set -euo pipefail
cd "$(dirname "$0")/../.."
RELEASE=${1:?the file of the release that runs}
folder=${2:?the folder of the bundle}
# shellcheck source=deploy/pipeline/beside.sh
. deploy/pipeline/beside.sh

version=$(python3 -c 'import json, sys
manifest = json.load(open(sys.argv[1], encoding="utf-8"))
print(manifest["name"], manifest["version"], sep="/")' "$folder/manifest.json") || exit 2
BUNDLE=$(realpath "$folder")
export BUNDLE

note_old worker
try_apart "$version"
start_beside || go_back "workers of $version did not become ready"
docker exec "${old[0]}" python -m workers promote "$version" || go_back "$version was not promoted"
verify "${URL:-http://127.0.0.1:8080}" --bundle "$version" || {
    docker exec "${old[0]}" python -m workers rollback "${version%/*}"
    go_back "$version does not serve as it should"
}
docker stop "${old[@]}" >/dev/null
docker rm "${old[@]}" >/dev/null
echo "$version serves. Keep it: BUNDLE=$BUNDLE in .env"
