#!/bin/sh
# Writes the secrets of a place into files in this folder, once: what is there is left as it is.
#   cd deploy/kubernetes/overlays/local && sh ../../secrets.sh
# For overlays/production put them into the cluster, with the REDIS_URL of yours:
#   for name in queue front flower; do kubectl -n punctual create secret generic punctual-$name --from-env-file=$name.env; done
set -eu
umask 077
password() { head -c 24 /dev/urandom | od -An -tx1 | tr -d ' \n'; }
[ -e queue.env ] || printf 'REDIS_URL=redis://redis:6379/0\nREDIS_PASSWORD=%s\n' "$(password)" > queue.env
[ -e front.env ] || printf 'CAPTAIN_EMAIL=captain@example.com\nSALT=%s\n' "$(password)" > front.env
[ -e flower.env ] || printf 'FLOWER_BASIC_AUTH=flower:%s\n' "$(password)" > flower.env
