"""Problems of users of similar software, row by row, and the test that prevents each of them here.

Rows have the numbers of the survey at the beginning of the project. A row may need several tests;
one that does not apply has the reason.
"""

from __future__ import annotations

import asyncio
import re
from configparser import ConfigParser
from pathlib import Path

import pytest

from tests.dialects.proofs import Row, check, rows_of
from tests.fixtures.raw_node import NodeConnection
from tests.server.gateways import SSE, chat, chunk, staged

DONE, END = b"data: [DONE]\n\n", b"0\r\n\r\n"

ROWS = 36
PROVED = """
@ e2e/test_leaving.py::test_the_node_is_freed_when_its_client_leaves
1 a client goes away, the node goes on generating
@ server/test_app.py::test_a_client_that_leaves_frees_the_node_at_once
2 the server hears nothing of it
@ server/test_queue.py::test_a_queued_client_that_leaves_is_gone_at_once
2 nor while it waits
@ bench/test_chaos.py::test_whatever_is_left_over_is_a_fault
3 a node looks busy for ever | in_flight
@ upstream/test_attempt.py::test_a_client_that_leaves_while_a_connection_opens
3 or a connection to it stays open
@ server/test_app.py::test_a_node_that_ends_its_message_within_an_answer_does_not_look_finished
4 a node dies quietly and the stream ends cleanly
@ dialects/pairs/gemini_openai/test_reply.py::test_an_end_is_never_invented
4 a finish is made up for Gemini
@ dialects/pairs/anthropic_openai/test_recorded.py::test_no_cut_looks_finished
4 a finish is made up for Anthropic
@ server/test_heartbeat_sdks.py::test_every_sdk_reads_the_whole_answer
5 heartbeats break Gemini's Python SDKs
@ node_sdks/test_streams.py::test_the_whole_answer_is_read_through_signs_of_life
5 heartbeats break Node SDKs
@ relay/test_early_response.py::test_verbatim_signs_of_life_stand_between_the_nodes_events_only
6 a heartbeat is glued to an event | nothing inside an event
@ relay/test_early_response.py::test_a_translated_stream_gets_signs_of_life_from_the_first_silence
7 minutes of silence in a long prompt kill the client | before the node has said a word
@ relay/test_early_response.py::test_signs_of_life_in_the_queue_and_the_end_of_waiting
7 or in the queue
@ surfaces/test_gemini_paths.py::test_framing
8 a Gemini stream in the wrong framing | JSON_ARRAY
@ e2e/test_curl.py::test_without_alt_a_stream_is_an_array
9 an array is only sent when it is complete
@ e2e/test_bytes.py::test_byte_by_byte
10 unknown fields of a part are lost
@ dialects/pairs/gemini_openai/test_reply.py::test_only_the_last_chunk_has_a_finish_reason_and_usage
11 a finish reason in every chunk
@ dialects/pairs/gemini_openai/test_reply.py::test_a_call_is_a_call_whatever_the_finish_says
11 the wrong one where tools are called
@ dialects/pairs/gemini_openai/test_request.py::test_an_invalid_schema_names_every_place
12 a schema is dropped without a word
@ surfaces/test_paths.py::test_post
13 a version segment is doubled, lost or forced | v1beta/v1
@ dialects/pairs/gemini_openai/test_reply.py::test_parallel_calls_come_whole_in_the_last_chunk
14 streamed arguments of a call are lost
@ dialects/pairs/anthropic_openai/test_reply.py::test_counted_beforehand
15 a message starts with a prompt of no tokens
@ dialects/gemini/test_counts.py::test_the_nodes_own_tokenizer
16 token counts are too low or missing
@ dialects/pairs/anthropic_openai/test_request.py::test_a_billing_header_makes_no_system_message
17 a changing line in the system prompt defeats the prefix cache
@ relay/test_relay.py::test_usage_is_found_whatever_the_pieces
18 usage in the last chunk is lost
@ wire/test_sse.py::test_every_split_gives_the_same
19 a character that is split over reads is garbled
@ e2e/test_bytes.py::test_large_bodies
20 a large event is too big for a line reader
@ bench/test_chaos.py::test_memory_that_grows_while_it_runs_is_a_fault
22 memory grows with uptime
@ usage/test_tap.py::test_the_end_is_kept_and_memory_is_bounded
22 or with the length of a stream
@ wire/test_headers.py::test_not_to_node
23 event streams are compressed | Accept-Encoding
@ replying/test_heads.py::test_event_streams_are_not_to_be_buffered
24 another nginx holds events back
@ replying/test_heads.py::test_what_clients_must_not_see_is_taken_off
25 CORS headers come twice | Access-Control-Allow-Origin
@ upstream/test_probes.py::test_only_the_cheapest_address_of_an_engine_is_asked
26 health checks run inference or wake a model
@ upstream/test_probes.py::test_a_node_deep_in_a_prompt_that_answers_no_probe_stays
26 a node in a long prompt is declared dead
@ daemon/test_run.py::test_a_storm_of_reloads_breaks_no_stream
27 a reload drops live streams
@ wire/test_query.py::test_a_key_is_found_decoded_and_never_logged
28 a key in the query ends up in logs
@ e2e/test_google_genai.py::test_a_key_in_the_base_url_never_reaches_the_node
28 or at the node
@ server/test_queue.py::test_a_key_with_many_waiting_does_not_starve_one_with_a_single_request
29 one user starves the others
@ pools/test_policies.py::test_a_node_that_has_the_model_loaded_is_preferred
30 requests for several models make a node load them in turn
@ server/test_gateway_tls.py::test_a_stream_through_tls_on_both_sides
31 a client refuses plain HTTP
@ e2e/test_google_genai.py::test_embed_one_and_many
33 one text comes as a batch
@ server/test_files.py::test_a_file_in_pieces
34 uploads go past the base URL
"""
NOT_OURS = {
    32: "users want local models: what the project is for, and no defect",
}


@pytest.mark.parametrize("row", rows_of(PROVED))
def test_a_row_has_its_test(row: Row) -> None:
    check(row)


def test_every_row_is_answered() -> None:
    proved = {int(case.values[0].name.split()[0]) for case in rows_of(PROVED)}
    here = {int(match[1]) for name in globals() if (match := re.match(r"test_(\d+)_", name))}
    assert sorted([*proved, *here, *NOT_OURS]) == list(range(1, ROWS + 1))


async def test_21_more_than_a_hundred_streams_at_one_node() -> None:
    """The usual client libraries open at most a hundred connections by default, and routers built
    on them stop there."""
    together = asyncio.Barrier(150)

    async def play(connection: NodeConnection) -> None:
        await connection.request()
        await together.wait()
        await connection.send(SSE, chunk(DONE), END)

    # On a busy machine so many connections take longer than the usual five seconds.
    async with staged(play, node=", connect_timeout: 60s") as stage:

        async def ask() -> bytes:
            client = await stage.connect()
            client.write(chat())
            await client.head()
            return (await client.reply()).body

        assert await asyncio.gather(*(ask() for _ in range(150))) == [DONE] * 150


def test_35_few_packages_are_needed() -> None:
    """Each further package is a further way to break in: its reason belongs in the commit."""
    setup = ConfigParser()
    setup.read(Path(__file__).parent.parent / "setup.cfg")
    needed = setup["options"]["install_requires"].split("\n")
    names = {re.split(r"[<>=]", line)[0] for line in needed if line}
    assert names == {
        "aiohttp", "uvloop", "orjson", "PyYAML", "pydantic", "prometheus-client", "click", "rich",
        # Files alone are read of the one, never by the daemon's own process of the other.
        "flask-swagger-ui", "pypdf",
    }  # fmt: skip


async def test_36_an_event_does_not_wait_for_the_next() -> None:
    heard = asyncio.Semaphore(0)

    async def play(connection: NodeConnection) -> None:
        await connection.request()
        await connection.send(SSE)
        for _ in range(3):
            await connection.send(chunk(DONE))
            await heard.acquire()
        await connection.send(END)

    async with staged(play) as stage:
        client = await stage.connect()
        client.write(chat())
        await client.head()
        for _ in range(3):
            assert await client.take(len(chunk(DONE))) == chunk(DONE)
            heard.release()
