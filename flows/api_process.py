"""Prefect's API in a process of its own, for as long as its parent lives.

Run as `python -m flows.api_process [PORT]` with Prefect's settings in the environment. Writes the port it
listens on, a free one if none is given, to stdout once it can answer; ends when its stdin closes, so
also when the parent is killed. Prefect's own ephemeral server draws a port at random, outlives a killed
parent and prints stack traces on the user's console when it is stopped.
"""

from __future__ import annotations

import os
import socket
import sys
import threading

import uvicorn
from prefect.server.api.server import create_app

from pipeline.logs import configure_logging

# The API serves this machine's own flow runs only.
HOST = "127.0.0.1"


class _ReportsReady(uvicorn.Server):
    """A server that tells its parent when it is ready."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started and sockets:
            sys.stdout.write(f"{sockets[0].getsockname()[1]}\n")
            sys.stdout.flush()
            os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # nobody reads on


def _stop_with_parent(server: uvicorn.Server) -> None:
    sys.stdin.buffer.read()
    server.should_exit = True


def main() -> None:
    """Serve until stdin closes."""
    configure_logging()
    # "Ephemeral" leaves out the user interface and the services for schedules and late runs.
    config = uvicorn.Config(create_app(ephemeral=True, final=True), lifespan="on", log_config=None)
    config.timeout_graceful_shutdown = 5
    server = _ReportsReady(config)
    threading.Thread(target=_stop_with_parent, args=(server,), daemon=True).start()
    listening = socket.create_server((HOST, int(sys.argv[1]) if len(sys.argv) > 1 else 0))
    # Accepted connections inherit it: without, each answer on a kept connection waits 40 ms for an ACK.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    server.run(sockets=[listening])


if __name__ == "__main__":
    main()
