"""The metrics that Prometheus' client libraries export about their process, from ``/proc/self``
only.

Prometheus' Python client needs ``/proc/stat`` for the time of boot and exports nothing if that is
hidden, as the shipped units do (``ProcSubset=pid``).
"""

from __future__ import annotations

import contextlib
import os
import resource
import time
from collections.abc import Iterator
from pathlib import Path

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

__all__ = ["ProcessCollector"]

#: Fields of /proc/self/stat after the command's name, see proc(5): the first of them has number 3
#: there.
_STARTED_TICKS, _VIRTUAL_BYTES, _RESIDENT_PAGES = 19, 20, 21


class ProcessCollector(Collector):
    """Names and meanings are those of every Prometheus client. Values that cannot be read are left
    out."""

    def __init__(self, process: Path = Path("/proc/self")) -> None:
        self._process = process

    def collect(self) -> Iterator[Metric]:
        times = os.times()
        yield CounterMetricFamily(
            "process_cpu_seconds_total", "User and system CPU time.", times.user + times.system
        )
        with contextlib.suppress(OSError, ValueError, IndexError):
            yield from self._memory_and_start()
        with contextlib.suppress(OSError):
            opened = _count_descriptors(self._process / "fd")
            yield GaugeMetricFamily("process_open_fds", "Open file descriptors.", opened)
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        yield GaugeMetricFamily(
            "process_max_fds", "Maximum number of open file descriptors.", limit
        )

    def _memory_and_start(self) -> Iterator[Metric]:
        # A name may contain blanks and brackets.
        fields = (self._process / "stat").read_bytes().rpartition(b")")[2].split()
        yield GaugeMetricFamily(
            "process_virtual_memory_bytes", "Virtual memory.", int(fields[_VIRTUAL_BYTES])
        )
        yield GaugeMetricFamily(
            "process_resident_memory_bytes", "Resident memory.",
            int(fields[_RESIDENT_PAGES]) * resource.getpagesize(),
        )  # fmt: skip
        booted = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
        yield GaugeMetricFamily(
            "process_start_time_seconds", "When the process started, since the epoch.",
            booted + int(fields[_STARTED_TICKS]) / os.sysconf("SC_CLK_TCK"),
        )  # fmt: skip


def _count_descriptors(folder: Path) -> int:
    """Linux reports the number in the folder's size since 6.2. Before, the size is 0 and the
    entries are counted, which took 40 ms for 18 000 of them; the folder itself is open while it is
    read."""
    return os.stat(folder).st_size or len(os.listdir(folder)) - 1
