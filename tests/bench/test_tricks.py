"""Every trick has a measurement."""

from __future__ import annotations

from click.testing import CliRunner

from bench.tricks import main
from casedesk_proxy.fastpath.switches import Trick, is_on


def test_each_trick_has_a_line() -> None:
    told = CliRunner().invoke(main, ["--turns", "2", "--passes", "1"], catch_exceptions=False)
    # Of TLS a measurement needs sockets: `bench/relay_cost.py --with proxy-tls,proxy-tls-loop`.
    assert {line.partition(":")[0] for line in told.output.splitlines()} == set(Trick) - {Trick.TLS}
    assert told.output.count("µs  × ") == len(told.output.splitlines())
    assert all(map(is_on, Trick))
