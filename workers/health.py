"""``python -m workers.health``: exit status 0 when a worker process of this host serves.

For the health check of a container: one of its processes has loaded its ensemble and beats in
Redis, where the fronts look for it. A process that hangs, or takes nothing of what waits, does not.
"""

from __future__ import annotations

import socket
import sys

from redis import RedisError

from workers.contract.connection import impatient
from workers.contract.readiness import Readiness
from workers.contract.refusal import Refusal
from workers.contract.settings import QueueSettings


def main() -> int:
    """Look once."""
    settings = QueueSettings.read()
    redis = impatient(settings, settings.redis_timeout_ms)
    try:
        lives = Readiness(redis, settings).lives_on(socket.gethostname())
    except RedisError as error:
        print(f"Redis {Refusal.of(error) or 'is away'}: {error}", file=sys.stderr)
        return 1
    return 0 if lives else 1


if __name__ == "__main__":
    sys.exit(main())
