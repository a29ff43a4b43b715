#!/usr/bin/env bash
# Stop the workers for the night, or start them in the morning and see whether they serve:
#   deploy/pipeline/hours.sh stop|start
# On the server, where .env is. At night what is new is refused at once and what is kept is answered; jobs wait.
# 0: done. 1: it does not serve. 2: nothing was begun.
set -euo pipefail
cd "$(dirname "$0")/../.."

case ${1:-} in
    stop) docker compose --env-file .env stop worker ;;
    start)
        docker compose --env-file .env start worker
        # VERIFY: what else verify.py is told.
        read -ra options <<<"${VERIFY:-}"
        python3 deploy/pipeline/verify.py "${URL:-http://127.0.0.1:8080}" --ready-within 180 "${options[@]}"
        ;;
    *)
        echo "Say stop or start." >&2
        exit 2
        ;;
esac
