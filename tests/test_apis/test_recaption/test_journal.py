import os

import numpy as np
import pytest

from elva.apis.recaption.journal import Journal, JournalWriter, read_lines
from elva.apis.recaption.outcome import Captioned, Failed, Spent
from elva.apis.recaption.state import State

KEYS = np.array([2**63 + 5, 7, 9, 2**64 - 1], np.uint64)


def done(text, cost=1):
    return Captioned(text, "m", Spent(1, cost, cost)).line()


def failed(reason):
    return Failed(reason, "why", Spent(1, 0, 0)).line()


def write(journal, run, writer, *lines):
    part = JournalWriter(journal.part(run, writer))
    for key, line in lines:
        part.add(key, line)
    part.close()
    return part.path


def test_lines_are_there_before_the_part_is_closed(tmp_path):
    part = JournalWriter(tmp_path / "00001-local.jsonl")
    part.add(2**64 - 1, {"caption": "Ünïcode\u2028 and\nlines"})
    ((place, key, line),) = read_lines(part.path)
    assert (place, key, line["caption"]) == (0, 2**64 - 1, "Ünïcode\u2028 and\nlines")
    part.close()
    with pytest.raises(FileExistsError):
        JournalWriter(part.path)


def test_lines_reach_the_disk_in_batches(tmp_path, monkeypatch):
    calls = []
    monkeypatch.setattr(os, "fsync", calls.append)
    part = JournalWriter(tmp_path / "00001-local.jsonl", every=0)
    part.sync()
    assert calls == []  # nothing to bring
    for key in range(5):
        part.add(key, {})
    part.sync()
    part.sync()
    assert len(calls) == 1
    part.close()
    assert len(calls) == 2


def test_a_full_disk_is_told_with_the_file(tmp_path, monkeypatch):
    part = JournalWriter(tmp_path / "00001-local.jsonl")

    def full(file, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="No space left") as caught:
        part.add(1, {})
    assert caught.value.filename == str(part.path)


@pytest.mark.parametrize("cut", range(1, 80, 13))
def test_a_torn_end_takes_only_the_last_line(tmp_path, cut):
    journal = Journal(tmp_path)
    path = write(journal, 1, "local", (7, done("a")), (9, done("b")))
    path.write_bytes(path.read_bytes()[:-cut])
    state = State(KEYS, journal.parts())
    assert state.done.tolist() == [False, True, False, False] and state.line(1)["caption"] == "a"


def test_names_that_are_no_unicode_are_kept(tmp_path):
    writer = JournalWriter(tmp_path / "1.jsonl")
    writer.add(7, {"id": "caf\udce9 é"})
    writer.close()
    assert [(key, line["id"]) for _, key, line in read_lines(tmp_path / "1.jsonl")] == [(7, "caf\udce9 é")]


def test_what_is_no_line_is_passed_over(tmp_path):
    journal = Journal(tmp_path)
    path = write(journal, 1, "local", (7, done("a")))
    path.write_bytes(b'\x00\x00\x00\n[1]\n{"key": 5}\n\n\xff\n' + path.read_bytes())
    state = State(KEYS, journal.parts())
    assert state.done.sum() == 1 and state.line(1)["caption"] == "a"


def test_the_latest_counts_but_a_caption_is_never_lost(tmp_path):
    journal = Journal(tmp_path)
    key0, key1, key2, _ = map(int, KEYS)
    write(journal, 1, "local", (key0, failed("video")), (key1, done("first")), (12345, done("of no sample", 3)))
    write(journal, 2, "local", (key0, done("later")), (key1, failed("http 500")), (key2, failed("refusal")))
    write(journal, 10, "local", (key2, failed("language")))
    assert journal.next_run() == 11
    state = State(KEYS, journal.parts())
    assert state.done.tolist() == [True, True, False, False] and state.failed.tolist() == [False, False, True, False]
    assert [state.line(0)["caption"], state.line(1)["caption"], state.line(2)["error"]] == [
        "later",
        "first",
        "language",
    ]
    assert state.spent == Spent(7, 5, 5)  # all that was paid for
    state.close()


def test_lines_are_read_from_many_parts_and_of_any_length(tmp_path):
    journal = Journal(tmp_path)
    keys = np.arange(200, dtype=np.uint64) * 1000
    for number, key in enumerate(keys):
        write(journal, 1, f"block{number:07d}-0", (int(key), done("x" * (number * 300))))
    state = State(keys, journal.parts())
    lengths = [len(state.line(index)["caption"]) for index in [*range(200), 0, 199]]
    assert lengths == [n * 300 for n in [*range(200), 0, 199]]
    state.close()


def test_parts_of_a_block_are_found_by_their_prefix(tmp_path):
    journal = Journal(tmp_path)
    write(journal, 3, "block0000001-0")
    write(journal, 3, "block0000011-0")
    assert [part.name for part in journal.parts("00003-block0000001-")] == ["00003-block0000001-0.jsonl"]


def test_failures_keep_what_was_rejected():
    line = Failed("refusal", "I'm sorry", Spent(2, 20, 4), reply="I'm sorry, no.").line()
    rejected = {"error": "refusal", "detail": "I'm sorry", "reply": "I'm sorry, no."}
    assert line == rejected | {"requests": 2, "tokens_in": 20, "tokens_out": 4}
