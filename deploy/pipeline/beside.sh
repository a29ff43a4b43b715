# For rollout.sh and weights.sh, which source it: try the new, start it beside the old, and go back.
# shellcheck shell=bash

export COMPOSE_FILE=${COMPOSE_FILE:-docker-compose.yml}:deploy/pipeline/compose.yml

# RELEASE: the file that release.sh wrote.
compose() {
    docker compose --env-file .env --env-file "$RELEASE" "$@"
}

# VERIFY: what else verify.py is told.
read -ra verify_options <<<"${VERIFY:-}"
verify() {
    python3 deploy/pipeline/verify.py "$@" "${verify_options[@]}"
}

# An algorithm is called as its bundle is.
RENAME='
import json, pathlib, shutil
shutil.copytree("bundles/handwriting", "/tmp/trial")
manifest = pathlib.Path("/tmp/trial/manifest.json")
manifest.write_text(json.dumps(json.loads(manifest.read_text("utf-8")) | {"name": "trial"}))
'

# Try a front and a worker of it where no caller meets them: at an address that nginx does not know,
# with a line of an algorithm of their own. Ends all, with the reason told, when they do not serve.
try_apart() {
    serves_apart || {
        echo "Not begun: $1 does not serve as it should" >&2
        exit 1
    }
}

serves_apart() (
    worker='' web=''
    # shellcheck disable=SC2086 # what was not started is not named
    trap 'docker rm --force $worker $web >/dev/null' EXIT
    worker=$(compose run --detach --no-deps --env BUNDLE=/tmp/trial --env ALGORITHM=trial worker \
        sh -c "python -c '$RENAME' && exec celery -A workers worker --concurrency=1 --loglevel=WARNING") || exit
    web=$(compose run --detach --no-deps web) || exit
    read -r address _ < <(docker inspect --format \
        '{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}' "$web")
    # The program itself, or to end it would leave it.
    python3 deploy/pipeline/verify.py "http://$address:8000" --algorithm trial --ready-within 180 --seconds 10 \
        "${verify_options[@]}" &
    # Ended before it is a program of its own, it would still have the trap, and clear away as well.
    while sleep 0.3 && kill -0 $! 2>/dev/null; do
        # What has ended by itself will never be ready.
        ended=$(docker ps --all --quiet --filter status=exited --filter "id=$worker" --filter "id=$web")
        if [[ -n $ended ]]; then
            kill $!
            echo "A container of it has ended by itself:" >&2
            docker logs --tail 3 "${ended%%$'\n'*}" >&2
            exit 1
        fi
    done
    wait $!
)

# Note what runs of these services; `old` are their containers.
note_old() {
    services=("$@")
    mapfile -t old < <(compose ps -q "${services[@]}")
    if ((${#old[@]} == 0)); then
        echo "Nothing runs yet. Start it: docker compose up -d --wait, with $RELEASE and COMPOSE_FILE=$COMPOSE_FILE" >&2
        exit 2
    fi
}

# As many new containers of each service as there are old ones; false when they do not become ready.
start_beside() {
    local scale=() service
    for service in "${services[@]}"; do
        scale+=(--scale "$service=$((2 * $(compose ps -q "$service" | wc -l)))")
    done
    compose up -d --wait --no-recreate "${scale[@]}" "${services[@]}"
}

# Let the old go on, and end what is new once they serve. What the new have begun is taken over.
go_back() {
    echo "Going back: $1" >&2
    docker start "${old[@]}" >/dev/null
    local each tries
    for each in "${old[@]}"; do
        for ((tries = 0; tries < 60; tries++)); do
            [[ $(docker inspect --format '{{.State.Health.Status}}' "$each") != healthy ]] || break
            sleep 1
        done
    done
    for each in $(compose ps -aq "${services[@]}"); do
        [[ " ${old[*]} " == *" $each "* ]] || docker rm --force "$each" >/dev/null
    done
    exit 1
}
