"""The peak memory of a tree of processes."""

import subprocess
import sys

from elva.utils.process_stats import PeakMemory, tree_rss

MIB = 2**20


def test_the_peak_includes_memory_that_a_child_held_and_gave_back() -> None:
    code = "import time; x = bytearray(120 * 2**20); x[::4096] = b'1' * len(x[::4096]); time.sleep(0.5)"
    before = tree_rss()
    with PeakMemory(interval=0.05) as memory:
        subprocess.run([sys.executable, "-c", code], check=True)
    assert before + 110 * MIB < memory.bytes < before + 300 * MIB
    assert tree_rss() < before + 60 * MIB


def test_the_tree_is_at_least_this_process() -> None:
    import psutil

    assert tree_rss() >= 0.9 * psutil.Process().memory_info().rss
