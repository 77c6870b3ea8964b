"""The abuser as a process: `python -m bench.abuses NAME FOLDER`, driven over stdin and stdout.

It first says on which port its node listens, ``{"port": 1234}``; is given its victim as a line of
JSON; abuses; and ends with what came of it as another line.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
from contextlib import suppress

from bench.abuses import ABUSES
from bench.abuses.kind import Victim
from bench.abuses.operation import serve_tls

#: Node and innocent clients go first; what an abuser does late is no matter.
_NICER = 10


def main(name: str, folder: str) -> None:
    abuse = ABUSES[name]
    with suppress(OSError):
        os.nice(_NICER)
    listener = socket.create_server(("127.0.0.1", 0), backlog=512)
    if abuse.tls_nodes:
        ready = threading.Event()
        words = (listener, ready, folder)
        threading.Thread(target=serve_tls, args=words, daemon=True).start()
        ready.wait()
    elif abuse.serve is not None:
        threading.Thread(target=abuse.serve, args=(listener,), daemon=True).start()
    _say({"port": listener.getsockname()[1]})
    line = sys.stdin.readline()
    if not line:
        return
    victim = Victim(**json.loads(line))
    abuse.act(victim)
    _say(dict(victim.said))
    sys.stdin.read()  # its node goes on until everybody has seen enough
    os._exit(0)  # threads that wait for a socket keep nobody waiting


def _say(facts: dict[str, int]) -> None:
    print(json.dumps(facts), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
