#!/usr/bin/env bash
# Build the three images, push them, and write down which they are:
#   deploy/pipeline/release.sh REGISTRY/NAME TAG > release.env
# The lines name each image by its digest: what was tried is what is rolled out.
set -euo pipefail
cd "$(dirname "$0")/../.."

name=${1:?REGISTRY/NAME, such as ghcr.io/you/punctual}
tag=${2:?TAG, such as a commit}

for target in web worker flower; do
    image=$name-$target:$tag
    docker build --quiet --file deploy/Dockerfile --target "$target" --tag "$image" . >&2
    docker push --quiet "$image" >&2
    digest=$(docker image inspect --format '{{range .RepoDigests}}{{println .}}{{end}}' "$image" |
        grep --max-count 1 "^$name-$target@")
    echo "${target^^}_IMAGE=$digest"
done
