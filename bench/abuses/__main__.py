"""The abuser as a process: `python -m bench.abuses NAME FOLDER`, controlled over stdin and stdout.

It first prints the port of its node, ``{"port": 1234}``; gets its victim as a line of JSON; abuses
it; and ends with the result as another line.
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

#: Node and innocent clients have priority; it does not matter if the abuser is late.
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
    sys.stdin.read()  # its node continues until all have seen enough
    os._exit(0)  # threads that wait for a socket must not delay the end


def _say(facts: dict[str, int]) -> None:
    print(json.dumps(facts), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
