import os
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from torch.utils.data import DataLoader, Dataset

from elva.datasets.readers import DecordReader, PyAVReader, VideoReader, VideoReadError, call_with_timeout
from elva.structures import VideoMeta


@pytest.fixture
def pipe(tmp_path: Path) -> str:
    """A file that can be opened, but only once somebody writes to it."""
    path = str(tmp_path / "pipe.mp4")
    os.mkfifo(path)
    return path


class SleepingReader(VideoReader):
    def probe(self, path: str) -> VideoMeta:
        return call_with_timeout(0.1, path, lambda _: time.sleep(2))

    def read(self, path: str, seconds: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
        return call_with_timeout(0.1, path, lambda _: time.sleep(2))


class OneVideo(Dataset):
    def __init__(self, reader: VideoReader, path: str) -> None:
        self.reader, self.path = reader, path

    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: int) -> str:
        begin = time.monotonic()
        with pytest.raises(VideoReadError) as error:
            self.reader.read(self.path, [0.0])
        return f"{time.monotonic() - begin:.1f} s: {error.value}"


def test_a_call_that_hangs_is_given_up() -> None:
    for call in (SleepingReader().probe, lambda path: SleepingReader().read(path, [0.0])):
        begin = time.monotonic()
        with pytest.raises(VideoReadError, match=r"^slow.mp4: not read within 0.1 s\. .*raise the reader's timeout"):
            call("slow.mp4")
        assert time.monotonic() - begin < 1


@pytest.mark.parametrize("reader_type", [DecordReader, PyAVReader])
def test_a_pipe_that_nobody_writes_to_is_given_up(reader_type: type, pipe: str) -> None:
    reader = reader_type(timeout=0.2)
    begin = time.monotonic()
    with pytest.raises(VideoReadError, match="not read within 0.2 s"):
        reader.probe(pipe)
    with pytest.raises(VideoReadError, match="not read within 0.2 s"):
        reader.read(pipe, [0.0])
    assert time.monotonic() - begin < 2


@pytest.mark.parametrize("reader_type", [DecordReader, PyAVReader])
def test_a_worker_process_gives_up_as_well_and_ends(reader_type: type, pipe: str) -> None:
    loader = DataLoader(OneVideo(reader_type(timeout=0.3), pipe), batch_size=None, num_workers=1)
    begin = time.monotonic()
    (message,) = loader
    assert message.startswith(f"0.3 s: {pipe}: not read within 0.3 s")
    assert time.monotonic() - begin < 10


def test_values_and_errors_pass_through() -> None:
    assert call_with_timeout(5, "a.mp4", lambda path, factor: path * factor, 2) == "a.mp4a.mp4"
    with pytest.raises(KeyError, match="inner"):
        call_with_timeout(5, "a.mp4", lambda path: {}["inner"])


def test_the_call_runs_in_a_thread_that_does_not_keep_the_program_alive() -> None:
    assert call_with_timeout(5, "a.mp4", lambda path: threading.current_thread().daemon)
