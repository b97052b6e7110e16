import tarfile

import av
import numpy as np
import pytest

from elva.apis.check_dataset.media import LEVELS, FileCheck, FileJob, read_all, stamp
from elva.apis.check_dataset.sources import sources_of
from elva.datasets.readers import FrameFolderReader, PyAVReader, VideoReadError
from elva.registry import VIDEO_READERS
from elva.utils.media_path import member_path
from tests.clips import BROKEN, reference
from tests.test_apis.test_check_dataset.data import LOAD, config, dataset, row, write_rows


@pytest.fixture
def check(clips, llm, tmp_path):
    """A function from a level to a check of one source's files."""
    ann_file = write_rows(tmp_path / "a.jsonl", [row("a")])

    def make(level: str, **load) -> FileCheck:
        return FileCheck(sources_of(config(dataset(ann_file, clips, llm, {**LOAD, **load}), llm), "train"), level)

    return make


def job(path, *bounds) -> FileJob:
    return FileJob(str(path), tuple((0, part) for part in bounds or (None,)))


def test_every_frame_of_every_kind_of_clip_is_decoded(any_clip):
    reader = PyAVReader()
    try:
        reference(any_clip)
    except av.FFmpegError:
        with pytest.raises(VideoReadError, match="corrupt or cut short"):
            read_all(reader, reader.probe(any_clip))
        return
    read_all(reader, reader.probe(any_clip))


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.parametrize("level", ["frames", "full"])
def test_broken_files_are_found(check, clip, name, level):
    path = clip(name)
    found = check(level)(job(path))
    assert found.error.startswith(f"{path}: ")
    assert found.stamp == stamp(path)


def test_damage_behind_the_frames_that_are_read_is_found_by_full_alone(check, clip):
    path = clip("flipped.mp4")
    first = {"sampler": {"type": "UniformSampler", "num_frames": 1}}
    assert [check(level, **first)(job(path)).error == "" for level in ("probe", "frames", "full")] == [
        True,
        True,
        False,
    ]


@pytest.mark.parametrize(("name", "bad"), [("missing.mp4", True), ("empty.mp4", True), ("text.mp4", False)])
def test_none_looks_whether_files_are_there(check, clip, name, bad):
    found = check("none")(job(clip(name)))
    assert bool(found.error) is bad
    assert found.meta is None


def test_metadata_are_the_readers(check, clip):
    path = clip("rotated_90.mp4")
    assert check("probe")(job(path)).meta == PyAVReader().probe(path)


@VIDEO_READERS.register_module()
class ReaderThatCounts(PyAVReader):
    """Writes down what it is asked for."""

    asked: list[tuple[float, ...]]

    def read(self, path, seconds):
        type(self).asked.append(tuple(seconds))
        return super().read(path, seconds)


@pytest.fixture
def counting(check, monkeypatch):
    monkeypatch.setattr(ReaderThatCounts, "asked", [], raising=False)
    return check("frames", reader={"type": "ReaderThatCounts"})


def test_a_frame_that_several_samples_want_is_read_once(counting, clip):
    assert counting(job(clip("h264.mp4"), None, (0.4, 0.8), (5.0, 9.0))).error == ""
    (times,) = ReaderThatCounts.asked
    assert list(times) == sorted(set(times))
    assert len(times) == 4 + 4 - 1, "one frame is in both"
    assert sum(0.4 <= time <= 0.8 for time in times) >= 4


def test_many_frames_are_read_a_few_at_a_time(counting, clip, monkeypatch):
    monkeypatch.setattr("elva.apis.check_dataset.media._PIECE_BYTES", 3 * 48 * 64 * 3)
    counting(job(clip("h264.mp4"), None, (0.4, 0.8)))
    assert [len(times) for times in ReaderThatCounts.asked] == [3, 3, 1]


def test_what_the_pipeline_reads_is_read(counting, clip):
    counting(job(clip("h264.mp4")))
    assert ReaderThatCounts.asked == [counting.sources[0].load.plan(clip("h264.mp4")).seconds]


@VIDEO_READERS.register_module()
class ReaderThatFails(PyAVReader):
    """Raises what no reader should."""

    def probe(self, path):
        raise KeyError("rotation")


def test_a_reader_that_raises_anything_else_is_told_of(check, clip):
    path = clip("h264.mp4")
    assert check("probe", reader={"type": "ReaderThatFails"})(job(path)).error == f"{path}: KeyError: 'rotation'"


def test_folders_and_images_are_read_frame_by_frame(tmp_path):
    from PIL import Image

    for number in range(3):
        Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / f"{number}.png")
    reader = FrameFolderReader(fps=2)
    read_all(reader, reader.probe(str(tmp_path)))
    read_all(PyAVReader(), PyAVReader().probe(str(tmp_path / "0.png")))
    (tmp_path / "2.png").write_bytes(b"no image")
    with pytest.raises(VideoReadError, match=r"2\.png"):
        read_all(reader, reader.probe(str(tmp_path)))


def test_a_pipeline_without_videos_cannot_read_any(clips, llm, tmp_path):
    data = dataset(write_rows(tmp_path / "a.jsonl", [row("a")]), clips, llm)
    data["pipeline"] = data["pipeline"][1:]
    found = FileCheck(sources_of(config(data, llm), "train"), "probe")(job(clips / "h264.mp4"))
    assert "no LoadVideo" in found.error


@pytest.mark.parametrize("level", LEVELS)
def test_members_of_shards_are_read_under_their_own_names(check, clip, tmp_path, level):
    shard = tmp_path / "0.tar"
    with tarfile.open(shard, "w") as tar:
        tar.add(clip("h264.mp4"), "good.mp4")
        tar.add(clip("cut.mp4"), "cut.mp4")
    paths = [member_path(shard, name) for name in ("good.mp4", "cut.mp4", "gone.mp4")]
    good, cut, gone = (check(level)(job(path)) for path in paths)
    assert good.error == ""
    assert gone.error and "gone.mp4" in gone.error
    if level != "none":
        assert good.meta.path == paths[0]
        assert cut.error.startswith(f"{paths[1]}: ")
        assert len({good.stamp, cut.stamp}) == 2
