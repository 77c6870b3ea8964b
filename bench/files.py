#!/usr/bin/env python3
"""The cost of uploads to the file store, compared with nginx that stores a body in a file, and
their effect on memory and on streams.

    python -m bench.files [--mib 512] [--many 20] [--streams 200] [--folder /tmp/bench-files]

Bodies of zeros, over the loopback, to the same disk; CPU is that of the server's processes alone,
from /proc. nginx computes no SHA-256, but the store does: the time for that alone is printed, too.
Ports 21900 to 21903.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.beat import look
from bench.engine.process import read_line

PROXY, NGINX, SINK, NODE = 21900, 21901, 21902, 21903
PIECE_BYTES = 2**20
#: Seconds between two events of a stream, and for which the streams run alone first.
EVENT_S = 0.1
ALONE_S = 5.0
#: Seconds after which a daemon has started everything, planners among them.
SETTLED_S = 7.0
TICKS = os.sysconf("SC_CLK_TCK")

CONFIG = """
server:
  {{listen: "127.0.0.1:{proxy}", admin: null, access_log: false, state_directory: {folder}/state}}
default_deployment: d
nodes: {{n: {{url: "http://127.0.0.1:{node}", engine: vllm, models: [m], probe_interval: 0}}}}
deployments: {{d: {{nodes: [n], auth: none}}}}
files: {{max_file: 8GiB, per_key: 500GiB, total: 500GiB}}
"""
NGINX_CONFIG = """
{user}worker_processes 1; daemon off; pid {folder}/nginx.pid; error_log {folder}/nginx.log;
events {{ worker_connections 256; }}
http {{
  access_log off; client_body_temp_path {folder}/bodies; client_max_body_size 0;
  server {{
    listen 127.0.0.1:{nginx};
    location / {{
      client_body_in_file_only on; client_body_buffer_size 128k;
      proxy_pass_request_body off; proxy_set_header Content-Length ""; proxy_pass http://127.0.0.1:{sink};
    }}
  }}
  server {{ listen 127.0.0.1:{sink}; location / {{ return 200 "ok"; }} }}
}}
"""


def cpu_seconds(pid: int) -> float:
    """Of a process and its children."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    total = 0.0
    for one in (pid, *map(int, children)):
        fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
        total += (int(fields[11]) + int(fields[12])) / TICKS
    return total


def rss_mib(pid: int) -> float:
    """Its anonymous memory, without pages of mapped files."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (line,) = [one for one in lines if one.startswith("RssAnon:")]
    return int(line.split()[1]) / 1024


@contextmanager
def running(words: list[str], port: int) -> Iterator[subprocess.Popen[str]]:
    pipe = subprocess.PIPE
    process = subprocess.Popen(
        words, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True, bufsize=1
    )
    try:
        for _ in range(600):
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                time.sleep(0.05)
        yield process
    finally:
        process.terminate()
        process.wait(30)


def send(port: int, size: int, head: bytes) -> bytes:
    """A body of zeros; returns the reply."""
    piece = bytes(PIECE_BYTES)
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.sendall(head + b"Content-Length: %d\r\n\r\n" % size)
        for _ in range(size // PIECE_BYTES):
            sock.sendall(piece)
        return sock.recv(65536)


def post(path: str, *headers: str) -> bytes:
    return "\r\n".join([f"POST {path} HTTP/1.1", "Host: 127.0.0.1", *headers, ""]).encode()


def upload_to_proxy(size: int) -> None:
    """With Google's resumable protocol, in one piece."""
    begun = send(PROXY, 0, post(
        "/upload/v1beta/files", "X-Goog-Upload-Protocol: resumable", "X-Goog-Upload-Command: start",
        f"X-Goog-Upload-Header-Content-Length: {size}",
    ))  # fmt: skip
    head = begun.partition(b"\r\n\r\n")[0].split(b"\r\n")
    (url,) = [line[19:] for line in head if line.lower().startswith(b"x-goog-upload-url: ")]
    path = "/" + url.decode().split("/", 3)[3]
    reply = send(PROXY, size, post(
        path, "X-Goog-Upload-Command: upload, finalize", "X-Goog-Upload-Offset: 0"
    ))  # fmt: skip
    if b" 200 " not in reply[:20]:
        raise SystemExit(reply.decode(errors="replace"))


def upload_to_nginx(size: int) -> None:
    reply = send(NGINX, size, post("/"))
    if b" 200 " not in reply[:20]:
        raise SystemExit(reply.decode(errors="replace"))


def measure(upload: object, pid: int, size: int, turns: int) -> dict[str, float]:
    assert callable(upload)
    wall, cpu = time.perf_counter(), cpu_seconds(pid)
    for _ in range(turns):
        upload(size)
    wall, cpu = time.perf_counter() - wall, cpu_seconds(pid) - cpu
    mb = size * turns / 1e6
    return {"MB/s": round(mb / wall), "CPU ms per 100 MB": round(cpu / mb * 1e5, 1)}


def hash_alone(size: int) -> float:
    """CPU milliseconds per 100 MB."""
    piece, digest, begun = bytes(PIECE_BYTES), hashlib.sha256(), time.process_time()
    for _ in range(size // PIECE_BYTES):
        digest.update(piece)
    return round((time.process_time() - begun) / size * 1e11, 1)


# Streams at the same time: a node that sends an event each 100 ms, and clients, in one process.


async def play_node(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    if b"/chat/completions" not in head:
        writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()
        return
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")
    event = b'data: {"choices":[{"index":0,"delta":{"content":"a"}}]}\n\n'
    try:
        while True:
            writer.write(event)
            await writer.drain()
            await asyncio.sleep(EVENT_S)
    except (ConnectionError, asyncio.CancelledError):
        writer.close()


async def read_stream(gaps: list[float]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", PROXY)
    body = b'{"model":"m","stream":true,"messages":[{"role":"user","content":"x"}]}'
    writer.write(post("/v1/chat/completions", f"Content-Length: {len(body)}") + b"\r\n" + body)
    await reader.readuntil(b"data:")
    last = time.perf_counter()
    while await reader.read(65536):
        now = time.perf_counter()
        gaps.append(now - last)
        last = now


async def streams(count: int, begun: str) -> None:
    """Prints the longest gap before the file ``begun`` exists, and after."""
    server = await asyncio.start_server(play_node, "127.0.0.1", NODE)
    gaps: list[float] = []
    readers = [asyncio.ensure_future(read_stream(gaps)) for _ in range(count)]
    await asyncio.sleep(2)
    gaps.clear()
    while not os.path.exists(begun):  # noqa: ASYNC110, ASYNC240
        await asyncio.sleep(0.05)
    alone = sorted(gaps)
    gaps.clear()
    late = 0.0
    while os.path.exists(begun):  # noqa: ASYNC240
        due = time.perf_counter() + 0.05
        await asyncio.sleep(0.05)
        late = max(late, time.perf_counter() - due)
    meanwhile = sorted(gaps)
    for one in readers:
        one.cancel()
    server.close()
    found: dict[str, object] = {"player late ms": round(late * 1e3)}
    for name, some in (("alone", alone), ("meanwhile", meanwhile)):
        found[name] = {
            "events": len(some), "p99 ms": round(some[int(len(some) * 0.99)] * 1e3),
            "longest ms": round(some[-1] * 1e3),
        }  # fmt: skip
    print(json.dumps(found))


def many(
    proxy: subprocess.Popen[str], count: int, size: int, stream_count: int, folder: Path
) -> dict[str, object]:
    """So many uploads at once beside streams. ``late``: the longest delay of the proxy's loop by
    the clock; ``stall``: its longest round in CPU time."""
    pid = proxy.pid
    flag = folder / "uploads-run"
    words = [sys.executable, "-m", "bench.files", "--play-streams", str(stream_count), str(flag)]
    player = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    time.sleep(2 + ALONE_S)
    before, peak = rss_mib(pid), 0.0
    look(proxy)
    flag.touch()
    threads = [threading.Thread(target=upload_to_proxy, args=(size,)) for _ in range(count)]
    begun, cpu = time.perf_counter(), cpu_seconds(pid)
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        peak = max(peak, rss_mib(pid))
        time.sleep(0.1)
    wall, cpu = time.perf_counter() - begun, cpu_seconds(pid) - cpu
    flag.unlink()
    rounds = look(proxy)
    out, _ = player.communicate(timeout=60)
    return {
        "uploads": count, "MiB each": size // 2**20, "MB/s": round(count * size / 1e6 / wall),
        "CPU share": round(cpu / wall, 2), "RSS MiB before": round(before),
        "RSS MiB at most": round(peak), "late ms": round(rounds["late"]),
        "stall ms": round(rounds["stall"]), "gaps": json.loads(out),
    }  # fmt: skip


def main() -> None:
    if sys.argv[1:2] == ["--play-streams"]:
        asyncio.run(streams(int(sys.argv[2]), sys.argv[3]))
        return
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mib", type=int, default=512)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--many", type=int, default=20)
    parser.add_argument("--many-mib", type=int, default=2048)
    parser.add_argument("--streams", type=int, default=200)
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="bench-files-", dir=given.folder))
    user = "user root; " if os.geteuid() == 0 else ""
    places = {
        "user": user,
        "folder": folder,
        "proxy": PROXY,
        "nginx": NGINX,
        "sink": SINK,
        "node": NODE,
    }
    (folder / "proxy.yaml").write_text(CONFIG.format(**places))
    (folder / "nginx.conf").write_text(NGINX_CONFIG.format(**places))
    size = given.mib * 2**20
    proxy = [sys.executable, "-m", "bench.beat", str(folder / "proxy.yaml")]
    try:
        with running(["nginx", "-c", str(folder / "nginx.conf")], NGINX) as nginx:
            print("nginx", json.dumps(measure(upload_to_nginx, nginx.pid, size, given.turns)))
        shutil.rmtree(folder / "bodies", ignore_errors=True)
        print("sha256 alone: CPU ms per 100 MB", hash_alone(size))
        with running(proxy, PROXY) as daemon:
            read_line(daemon.stdout, daemon)
            time.sleep(SETTLED_S)
            print("proxy", json.dumps(measure(upload_to_proxy, daemon.pid, size, given.turns)))
            large = given.many_mib * 2**20
            found = many(daemon, given.many, large, given.streams, folder)
            print("together", json.dumps(found))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
