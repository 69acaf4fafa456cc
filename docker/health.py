"""Health check of a worker's container: does a worker of this host answer on the broker? Exit 0 if so, else 1."""

import os
import socket
import sys

from celery import Celery


def answers(broker: str, host: str, seconds: float = 10.0) -> bool:
    """Whether any worker whose node name ends in `@host` answers a ping on `broker` within `seconds`."""
    app = Celery(broker=broker)
    app.conf.update(broker_transport_options={"socket_timeout": seconds, "socket_connect_timeout": seconds})
    return bool(app.control.inspect(pattern=f"*@{host}", matcher="glob", timeout=seconds, limit=1).ping())


if __name__ == "__main__":
    try:
        healthy = answers(os.environ["CROSSHATCH_REDIS_URL"], socket.gethostname())
    except Exception as error:  # whatever is wrong is the container's health, in one line of `docker inspect`
        sys.exit(f"no health: {type(error).__name__}: {error}")
    sys.exit(0 if healthy else "no worker of this host answers")
