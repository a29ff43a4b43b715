#!/bin/sh
# Redis as the service needs it, for `make run` and for Compose; arguments are Redis' own.
# The settings come by standard input: arguments can be seen by every user of the machine.
# Nobody who has the password can administer it, as CONFIG would let him write any file.
exec "${REDIS_SERVER:-redis-server}" - "$@" <<END
user default on >$REDIS_PASSWORD ~* &* +@all -@admin -@dangerous +info
appendonly yes
save ""
maxmemory $REDIS_MAXMEMORY
maxmemory-policy noeviction
END
