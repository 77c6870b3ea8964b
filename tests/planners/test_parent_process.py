"""The process that starts planners, without its planners."""

from __future__ import annotations

import errno
import os
import socket

import pytest

from casedesk_proxy.planners import parent_process
from casedesk_proxy.planners.parent_process import OTHER_VERSION_STATUS, start_planners


def test_files_of_another_version_are_not_the_daemons() -> None:
    with pytest.raises(SystemExit) as left:
        parent_process.main(-1, "0.0.0")
    assert left.value.code == OTHER_VERSION_STATUS


def test_a_fork_that_fails_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def fork() -> int:
        raise OSError(errno.EAGAIN, "no more processes")

    monkeypatch.setattr(os, "fork", fork)
    daemon, ours = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with daemon, ours, socket.socket() as theirs:
        socket.send_fds(daemon, [b"5"], [theirs.fileno()])
        daemon.shutdown(socket.SHUT_WR)
        start_planners(ours)
        assert int(daemon.recv(16)) == -errno.EAGAIN


def test_it_leaves_where_the_daemon_has_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    forks = []

    def fork() -> int:
        forks.append(7)
        return 7

    monkeypatch.setattr(os, "fork", fork)
    daemon, ours = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, socket.socket() as theirs:
        socket.send_fds(daemon, [b"5"], [theirs.fileno()])
        daemon.close()
        start_planners(ours)
    assert forks == [7]
