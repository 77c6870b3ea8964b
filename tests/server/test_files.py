"""The Files APIs of all surfaces through the gateway: uploads, and their owners."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from casedesk_proxy.replying.record import Terminal
from tests.fixtures.proxy import RunningGateway, proxy_here
from tests.fixtures.raw_client import RawClient, connect, open_client
from tests.server.limited import KEYS, state_file

G, A, OAI = "/proxy/desk/gemini/v1beta", "/proxy/desk/anthropic/v1", "/proxy/desk/openai/v1"
UPLOAD = "/proxy/desk/gemini/upload/v1beta/files"
RELATED = "multipart/related; boundary=b"


@dataclass
class Reply:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def upload_status(self) -> str | None:
        return self.headers.get("x-goog-upload-status")


class Client:
    def __init__(self, session: aiohttp.ClientSession, proxy: RunningGateway) -> None:
        self.session = session
        self.url = proxy.url
        self.ends: list[Terminal] = []
        proxy.sinks.append(lambda record: self.ends.append(record.terminal))

    async def wait_for_end(self, terminal: Terminal) -> None:
        """Wait until an exchange has ended in this way."""
        while terminal not in self.ends:
            await asyncio.sleep(0.01)

    async def ask(
        self, method: str, path: str, body: Any = None, *, key: str | None = "alice", **headers: str
    ) -> Reply:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if key is not None:
            sent["Authorization"] = f"Bearer cdp-{key}"
        url = path if path.startswith("http") else self.url + path
        async with self.session.request(method, url, data=body, headers=sent) as reply:
            return Reply(reply.status, reply.headers, await reply.read())

    async def start(self, size: int | None = None, file: Any = None, **headers: str) -> Reply:
        if size is not None:
            headers["x_goog_upload_header_content_length"] = str(size)
        return await self.ask(
            "POST", UPLOAD, json.dumps({"file": file or {}}), x_goog_upload_protocol="resumable",
            x_goog_upload_command="start", **headers,
        )  # fmt: skip

    async def piece(self, url: str, command: str, body: Any = b"", offset: int = -1) -> Reply:
        """A piece as Google's Python SDK sends it: without a key."""
        headers = {"x_goog_upload_command": command}
        if offset >= 0:
            headers["x_goog_upload_offset"] = str(offset)
        return await self.ask("POST", url, body, key=None, **headers)

    async def upload(self, content: bytes, file: Any = None) -> Any:
        """Upload a file by the resumable protocol."""
        begun = await self.start(len(content), file)
        url = begun.headers["x-goog-upload-url"]
        done = await self.piece(url, "upload, finalize", content, 0)
        assert (done.status, done.upload_status) == (200, "final")
        return done.json["file"]


@asynccontextmanager
async def serving(
    folder: Path, server: Mapping[str, Any] | None = None, **files: Any
) -> AsyncIterator[Client]:
    config = {
        "nodes": {"n": {"url": "http://127.0.0.1:1", "engine": "vllm", "models": ["m"],
                        "probe_interval": 0}},
        "deployments": {"desk": {"nodes": ["n"]}},
        "default_deployment": "desk",
        "keys": [{"name": name, "sha256": digest, "deployments": ["desk"]}
                 for name, digest in KEYS.items()],
        "files": files,
        "server": dict(server or {}),
    }  # fmt: skip
    async with (
        state_file(folder) as store,
        proxy_here(config, store=store) as proxy,
        aiohttp.ClientSession() as session,
    ):
        yield Client(session, proxy)


# Gemini's resumable protocol.


async def test_a_file_in_pieces(tmp_path: Path) -> None:
    async with serving(tmp_path) as client:
        begun = await client.start(
            6, {"display_name": "Näme.txt", "mimeType": "text/html"},
            x_goog_upload_header_content_type="text/plain",
        )  # fmt: skip
        assert (begun.status, begun.upload_status, begun.json) == (200, "active", {})
        url = begun.headers["x-goog-upload-url"]
        assert url.startswith(f"{client.url}{UPLOAD}?upload_id=")
        first = await client.piece(url, "upload", b"abcd", 0)
        assert (first.status, first.upload_status) == (200, "active")
        assert first.headers["x-goog-upload-size-received"] == "4"
        last = await client.piece(url, "upload, finalize", b"ef", 4)
        assert (last.status, last.upload_status) == (200, "final")
        file = last.json["file"]
        digest = sha256(b"abcdef").hexdigest().encode()
        assert file["name"].startswith("files/")
        assert file["uri"] == f"{client.url}{G}/{file['name']}"
        assert (file["displayName"], file["mimeType"], file["sizeBytes"]) == (
            "Näme.txt", "text/plain", "6",
        )  # fmt: skip
        assert (file["state"], file["source"]) == ("ACTIVE", "UPLOADED")
        assert base64.b64decode(file["sha256Hash"]) == digest
        # Whoever lost the answer asks again, and gets it.
        for command in ("upload, finalize", "query"):
            again = await client.piece(url, command, b"", 6)
            assert (again.status, again.upload_status, again.json["file"]) == (200, "final", file)
        assert (await client.ask("GET", file["uri"])).json == file


async def test_pieces_that_come_twice_or_leave_a_gap(tmp_path: Path) -> None:
    async with serving(tmp_path) as client:
        url = (await client.start(8)).headers["x-goog-upload-url"]
        await client.piece(url, "upload", b"abcd", 0)
        gap = await client.piece(url, "upload", b"gh", 6)
        assert (gap.status, gap.upload_status) == (400, "final")
        assert "4 bytes have arrived" in gap.json["error"]["message"]
        early = await client.piece(url, "finalize")
        assert (early.status, early.json["error"]["status"]) == (400, "INVALID_ARGUMENT")
        asked = await client.piece(url, "query")
        assert (asked.upload_status, asked.headers["x-goog-upload-size-received"]) == (
            "active",
            "4",
        )
        twice = await client.piece(url, "upload", b"cdef", 2)
        assert twice.headers["x-goog-upload-size-received"] == "6"
        more = await client.piece(url, "upload", b"ghi", 6)
        assert (more.status, more.upload_status) == (400, "final")
        await client.piece(url, "upload", b"gh", 6)
        done = await client.piece(url, "finalize")
        assert done.json["file"]["sizeBytes"] == "8"
        content = await client.ask("GET", f"{G}/{done.json['file']['name']}:download?alt=media")
        assert content.body == b"abcdefgh"


async def test_an_upload_that_is_cancelled_or_unknown(tmp_path: Path) -> None:
    async with serving(tmp_path) as client:
        url = (await client.start()).headers["x-goog-upload-url"]
        await client.piece(url, "upload", b"abcd", 0)
        gone = await client.piece(url, "cancel")
        assert (gone.status, gone.upload_status) == (200, "cancelled")
        for wrong in (url, f"{UPLOAD}?upload_id=guess"):
            for command in ("query", "upload, finalize"):
                lost = await client.piece(wrong, command, b"x", 0)
                assert (lost.status, lost.upload_status) == (404, "final")
                assert lost.json["error"]["status"] == "NOT_FOUND"


async def test_a_client_that_leaves_in_the_middle_goes_on(tmp_path: Path) -> None:
    async with serving(tmp_path) as client:
        url = (await client.start(9)).headers["x-goog-upload-url"]
        senders = []
        for sent, size in ((b"abc", 3), (b"def", 6)):
            senders.append(await begin_piece(client, url, size - 3, sent))
            received = 0
            while received < size:
                asked = await client.piece(url, "query")
                received = int(asked.headers["x-goog-upload-size-received"])
        # The first one stayed connected, and had to give way to whoever went on.
        await senders[1].end()
        done = await client.piece(url, "upload, finalize", b"ghi", 6)
        assert (done.status, done.json["file"]["sizeBytes"]) == (200, "9")
        got = await client.ask("GET", f"{G}/{done.json['file']['name']}:download")
        assert got.body == b"abcdefghi"
        await senders[0].end()


async def begin_piece(client: Client, url: str, offset: int, sent: bytes) -> RawClient:
    """Send a piece of six bytes, of which only the bytes ``sent`` arrive."""
    sender = await open_client(client.url)
    head = (
        f"POST {url.removeprefix(client.url)} HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n"
        f"X-Goog-Upload-Command: upload\r\nX-Goog-Upload-Offset: {offset}\r\n\r\n"
    )
    sender.write(head.encode() + sent)
    return sender


@pytest.mark.parametrize(
    ("headers", "file", "message"),
    [
        ({"x_goog_upload_header_content_length": "x"}, {}, "a number of bytes"),
        ({"x_goog_upload_command": "upload"}, {}, "start is required"),
        ({}, {"displayName": "x" * 513}, "file.displayName: longer than 512"),
        ({}, {"name": "files/A"}, "file.name"),
        ({}, {"mimeType": "text"}, "file.mimeType"),
        ({}, {"displayName": 1}, "a string is required"),
    ],
)
async def test_what_cannot_be_started(
    tmp_path: Path, headers: dict[str, str], file: Any, message: str
) -> None:
    given = {"x_goog_upload_protocol": "resumable", "x_goog_upload_command": "start"} | headers
    async with serving(tmp_path) as client:
        reply = await client.ask("POST", UPLOAD, json.dumps({"file": file}), **given)
        assert (reply.status, reply.upload_status) == (400, "final")
        assert message in reply.json["error"]["message"]


# Gemini's other ways.


@pytest.mark.parametrize("metadata_first", [True, False])
@pytest.mark.parametrize("query", ["?uploadType=multipart", ""])
async def test_metadata_and_file_in_one_body(
    tmp_path: Path, query: str, *, metadata_first: bool
) -> None:
    parts = [
        b"--b\r\nContent-Type: application/json; charset=utf-8\r\n\r\n"
        b'{"file":{"displayName":"n"}}\r\n',
        b"--b\r\nContent-Type: image/png\r\n\r\n\x89PNG\r\n--x\r\n\r\n",
    ]
    body = b"".join(parts if metadata_first else parts[::-1]) + b"--b--\r\n"
    async with serving(tmp_path) as client:
        reply = await client.ask("POST", UPLOAD + query, body, content_type=RELATED)
        assert (reply.status, reply.upload_status) == (200, "final")
        file = reply.json["file"]
        assert (file["displayName"], file["mimeType"], file["sizeBytes"]) == (
            "n",
            "image/png",
            "11",
        )


async def test_a_file_of_metadata_alone_and_a_chosen_name(tmp_path: Path) -> None:
    async with serving(tmp_path) as client:
        body = json.dumps({"file": {"name": "files/mine", "mimeType": "text/plain"}})
        made = await client.ask("POST", f"{G}/files", body)
        assert (made.status, made.json["file"]["name"]) == (200, "files/mine")
        assert made.json["file"]["sizeBytes"] == "0"
        assert (await client.ask("GET", f"{G}/files/mine")).status == 200
        again = await client.ask("POST", f"{G}/files", body)
        assert (again.status, again.json["error"]["status"]) == (409, "ABORTED")
        # Another may call one so, too.
        assert (await client.ask("POST", f"{G}/files", body, key="bob")).status == 200


async def test_files_are_listed_got_and_deleted(tmp_path: Path) -> None:
    async with serving(tmp_path) as client:
        names = [(await client.upload(b"%d" % one))["name"] for one in range(3)]
        first = (await client.ask("GET", f"{G}/files?pageSize=2")).json
        assert [one["name"] for one in first["files"]] == names[:0:-1]
        rest = await client.ask("GET", f"/v1beta/files?pageToken={first['nextPageToken']}")
        assert [one["name"] for one in rest.json["files"]] == names[:1]
        assert "nextPageToken" not in rest.json
        deleted = await client.ask("DELETE", f"/genai/{names[0]}")
        assert (deleted.status, deleted.json) == (200, {})
        for method in ("GET", "DELETE"):
            gone = await client.ask(method, f"{G}/{names[0]}")
            assert (gone.status, gone.json["error"]["status"]) == (403, "PERMISSION_DENIED")
            assert "may not exist" in gone.json["error"]["message"]
        assert (await client.ask("GET", f"{G}/files", key="bob")).json == {}


async def test_what_another_key_has_is_not_there(tmp_path: Path) -> None:
    async with serving(tmp_path) as client:
        name = (await client.upload(b"secret"))["name"]
        ident = name.removeprefix("files/")
        for path in (f"{G}/{name}", f"{A}/files/file_{ident}", f"{OAI}/files/file-{ident}",
                     f"{G}/{name}:download", f"{OAI}/files/file-{ident}/content"):  # fmt: skip
            reply = await client.ask("GET", path, key="bob")
            assert reply.status in (403, 404), path
            assert (await client.ask("GET", path, key=None)).status == 401
            assert (await client.ask("GET", path)).status == 200


async def test_register_is_refused_by_name(tmp_path: Path) -> None:
    async with serving(tmp_path) as client:
        reply = await client.ask("POST", f"{G}/files:register", b"{}")
        assert reply.status == 404
        assert "files:register is not served here" in reply.json["error"]["message"]


# What may be stored.


async def test_too_much_metadata_names_no_setting_that_would_not_help(tmp_path: Path) -> None:
    async with serving(tmp_path) as client:
        file = {"displayName": "x" * 70_000}
        for reply in (
            await client.start(file=file),
            await client.ask("POST", f"{G}/files", json.dumps({"file": file})),
        ):
            assert reply.status == 413
            assert "65536 bytes, the most that this path accepts" in reply.json["error"]["message"]


async def test_quotas_in_each_surface_s_words(tmp_path: Path) -> None:
    async with serving(tmp_path, max_file=100, per_key=150) as client:
        large = await client.start(101)
        assert (large.status, large.json["error"]["status"]) == (413, "INVALID_ARGUMENT")
        await client.upload(b"x" * 100)
        full = await client.start(51)
        assert (full.status, full.json["error"]["status"]) == (429, "RESOURCE_EXHAUSTED")
        assert "files.per_key" in full.json["error"]["message"]
        claude = await client.ask("POST", f"{A}/files", form(b"x" * 60))
        assert (claude.status, claude.json["error"]["type"]) == (403, "permission_error")
        gpt = await client.ask("POST", f"{OAI}/files", form(b"x" * 60, purpose="user_data"))
        assert (gpt.status, gpt.json["error"]["code"]) == (400, "file_quota_reached")
        assert (await client.start(50)).status == 200
        over = await client.ask("POST", f"{OAI}/files", form(b"x" * 101), key="bob")
        assert (over.status, over.json["error"]["code"]) == (413, "file_too_large")
        # Nothing of what was refused is left.
        assert (await client.ask("GET", f"{OAI}/files", key="bob")).json["data"] == []


async def test_files_that_are_switched_off(tmp_path: Path) -> None:
    async with serving(tmp_path, enabled=False) as client:
        for reply in (await client.start(1), await client.ask("GET", f"{OAI}/files")):
            assert reply.status == 404
            assert b"files.enabled is false" in reply.body


# Anthropic and OpenAI.


def form(content: bytes, name: str = "n.txt", **fields: str) -> aiohttp.FormData:
    made = aiohttp.FormData()
    made.add_field("file", BytesIO(content), filename=name, content_type="text/plain")
    for field, value in fields.items():
        made.add_field(field, value)
    return made


async def test_anthropic_s_files(tmp_path: Path) -> None:
    async with serving(tmp_path) as client:
        made = [
            (await client.ask("POST", f"{A}/files?beta=true", form(b"abc", f"{n}.txt"))).json
            for n in range(3)
        ]
        assert made[0]["id"].startswith("file_")
        assert made[0] | {"id": "", "created_at": "", "expires_at": ""} == {
            "type": "file", "id": "", "created_at": "", "expires_at": "", "filename": "0.txt",
            "size_bytes": 3, "mime_type": "text/plain", "downloadable": True,
        }  # fmt: skip
        page = (await client.ask("GET", f"{A}/files?limit=2")).json
        assert page["data"] == made[:0:-1]
        assert (page["has_more"], page["last_id"]) == (True, made[1]["id"])
        rest = (await client.ask("GET", f"{A}/files?after_id={page['last_id']}")).json
        assert (rest["data"], rest["has_more"]) == (made[:1], False)
        newer = (await client.ask("GET", f"{A}/files?limit=1&before_id={made[0]['id']}")).json
        assert (newer["data"], newer["has_more"]) == ([made[1]], True)
        ident = made[0]["id"]
        assert (await client.ask("GET", f"{A}/files/{ident}/content")).body == b"abc"
        deleted = (await client.ask("DELETE", f"{A}/files/{ident}")).json
        assert deleted == {"id": ident, "type": "file_deleted"}
        gone = await client.ask("GET", f"{A}/files/{ident}")
        assert (gone.status, gone.json["error"]["type"]) == (404, "not_found_error")
        for query in ("limit=0", "limit=x", "after_id=_", "after_id=a&before_id=b"):
            assert (await client.ask("GET", f"{A}/files?{query}")).status == 400


async def test_openai_s_files(tmp_path: Path) -> None:
    async with serving(tmp_path) as client:
        sent = form(b"abc", purpose="vision", **{"expires_after[seconds]": "3600"})
        one = (await client.ask("POST", f"{OAI}/files", sent)).json
        two = (await client.ask("POST", f"{OAI}/files", form(b"de", purpose="user_data"))).json
        assert one["id"].startswith("file-")
        assert (one["object"], one["bytes"], one["filename"]) == ("file", 3, "n.txt")
        assert (one["purpose"], one["status"]) == ("vision", "processed")
        assert one["expires_at"] - one["created_at"] in (3600, 3601)
        listed = (await client.ask("GET", f"{OAI}/files")).json
        assert (listed["data"], listed["has_more"]) == ([two, one], False)
        oldest = (await client.ask("GET", f"{OAI}/files?order=asc&limit=1")).json
        assert (oldest["data"], oldest["has_more"]) == ([one], True)
        seen = (await client.ask("GET", f"{OAI}/files?purpose=vision")).json
        assert seen["data"] == [one]
        after = (await client.ask("GET", f"{OAI}/files?after={two['id']}")).json
        assert after["data"] == [one]
        content = await client.ask("GET", f"{OAI}/files/{one['id']}/content")
        assert (content.body, content.headers["content-type"]) == (b"abc", "text/plain")
        deleted = (await client.ask("DELETE", f"{OAI}/files/{one['id']}")).json
        assert deleted == {"id": one["id"], "object": "file", "deleted": True}
        gone = await client.ask("GET", f"{OAI}/files/{one['id']}")
        assert (gone.status, gone.json["error"]["code"]) == (404, "file_not_found")
        # The same files on each surface, under its own ids.
        shown = (await client.ask("GET", f"{G}/files")).json["files"]
        assert [one["name"] for one in shown] == [f"files/{two['id'].removeprefix('file-')}"]


@pytest.mark.parametrize(
    ("sent", "message"),
    [
        (form(b"x"), "purpose"),
        (form(b"x", purpose="a", **{"expires_after[seconds]": "1"}), "expires_after[seconds]"),
        (form(b"x", purpose="a", **{"expires_after[anchor]": "now"}), "created_at is required"),
        (
            aiohttp.FormData({"purpose": "a"}, default_to_multipart=True),
            "the form contains no file",
        ),
        (b"{}", "a form (multipart/form-data)"),
        (form(b"x", purpose="a" * 70_000), "fields other than the file"),
    ],
)
async def test_what_is_no_upload(tmp_path: Path, sent: Any, message: str) -> None:
    async with serving(tmp_path) as client:
        reply = await client.ask("POST", f"{OAI}/files", sent)
        assert reply.status == 400
        assert message in reply.json["error"]["message"]
        assert (await client.ask("GET", f"{OAI}/files")).json["data"] == []


async def test_a_large_file_there_and_back(tmp_path: Path) -> None:
    content = bytes(range(256)) * 20_000
    async with serving(tmp_path) as client:
        reply = await client.ask("POST", f"{OAI}/files", form(content, purpose="user_data"))
        assert reply.json["bytes"] == len(content)
        got = await client.ask("GET", f"{OAI}/files/{reply.json['id']}/content")
        assert sha256(got.body).digest() == sha256(content).digest()
        assert got.headers["content-disposition"] == "attachment"


async def test_a_form_that_comes_in_one_piece_once_it_is_waited_for(tmp_path: Path) -> None:
    form = (
        b'--b\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nvision\r\n'
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\nabc\r\n--b--\r\n'
    )
    head = (
        f"POST {OAI}/files HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer cdp-alice\r\n"
        "Content-Type: multipart/form-data; boundary=b\r\nExpect: 100-continue\r\n"
        f"Content-Length: {len(form)}\r\n\r\n"
    )
    async with serving(tmp_path) as client, connect(client.url) as sender:
        assert (await sender.ask(head.encode())).head == b"HTTP/1.1 100 Continue\r\n\r\n"
        async with asyncio.timeout(20):
            assert (await sender.ask(form)).status == 200


async def test_head_has_the_headers_of_get(tmp_path: Path) -> None:
    async with serving(tmp_path) as client:
        file = (
            await client.ask("POST", f"{OAI}/files", form(b"content", purpose="user_data"))
        ).json
        for path in (
            f"{OAI}/models",
            f"{OAI}/models/m",
            f"{G}/models",
            f"{OAI}/usage",
            f"{OAI}/files",
            f"{OAI}/files/{file['id']}",
            f"{OAI}/files/{file['id']}/content",
        ):
            got, head = [await client.ask(method, path) for method in ("GET", "HEAD")]
            assert (got.status, head.status) == (200, 200)
            assert (len(head.body), head.headers["content-length"]) == (0, str(len(got.body)))
            assert head.headers["content-type"] == got.headers["content-type"]
        await client.wait_for_end(Terminal.COMPLETED)
        assert (await client.ask("HEAD", f"{OAI}/models/none")).status == 404
