#!/bin/sh
# nginx, which asks the name server that this container was given: every engine has another one.
# The first one alone, as everybody else does: nginx would take all of them in turn.
awk '$1 == "nameserver" { print "resolver " ($2 ~ /:/ ? "[" $2 "]" : $2) " valid=1s ipv6=off;"; exit }' \
    /etc/resolv.conf > /tmp/resolver.conf
exec nginx -g 'daemon off;'
