#!/usr/bin/env bash
# Replace what runs by a release, without a gap; go back by itself when that does not serve:
#   deploy/pipeline/rollout.sh release.env
# On the server, where .env is. A front and a worker of it are tried apart from all callers first. The
# old containers are stopped when the new ones are ready, and removed when those were tried, too
# (URL, and what else verify.py is told in VERIFY, say how).
# 0: done. 1: it does not serve, and the old one goes on. 2: nothing was begun.
set -euo pipefail
cd "$(dirname "$0")/../.."
RELEASE=${1:?the file that release.sh wrote}
# shellcheck source=deploy/pipeline/beside.sh
. deploy/pipeline/beside.sh

compose pull --quiet web worker flower || exit 2
note_old worker web
try_apart "the release"
start_beside || go_back "the new containers did not become ready"
docker stop "${old[@]}" >/dev/null
verify "${URL:-http://127.0.0.1:8080}" ||
    go_back "the new containers do not serve as they should"
docker rm "${old[@]}" >/dev/null
compose up -d --no-deps flower logbook
echo "Rolled out. To go back: the same with the file of the release before."
