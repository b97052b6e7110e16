"""What DecordReader and PyAVReader both promise, on every rendered clip and every clip of ELVA_TEST_CLIPS."""

import pickle
import random
import re
from collections.abc import Callable

import av
import numpy as np
import pytest

from elva.datasets.readers import DecordReader, PyAVReader, VideoReader, VideoReadError
from elva.registry import VIDEO_READERS
from tests.clips import BROKEN, RECIPES, number, reference

READERS = [DecordReader, PyAVReader]
Clip = Callable[[str], str]


@pytest.mark.parametrize("reader_type", READERS)
@pytest.mark.parametrize("name", RECIPES)
def test_the_frame_shown_at_each_time_is_returned(name: str, reader_type: type[VideoReader], clip: Clip) -> None:
    recipe, reader = RECIPES[name], reader_type()
    starts = recipe.seconds
    ends = np.append(starts[1:], starts[-1] + 0.5)
    for seconds in (starts, (starts + ends) / 2, ends - 0.002):
        frames, times = reader.read(clip(name), seconds.tolist())
        assert frames.dtype == np.uint8 and frames.shape == (len(starts), *recipe.size, 3)
        assert [number(frame) for frame in frames] == recipe.numbers
        np.testing.assert_allclose(times, starts, atol=6e-4)


def test_readers_agree_with_a_plain_decoder_wherever_they_start(any_clip: str) -> None:
    decord, pyav = DecordReader(), PyAVReader()
    try:
        truth, starts = reference(any_clip)
    except av.FFmpegError:
        end = pyav.probe(any_clip).duration
        for reader in (decord, pyav):
            with pytest.raises(VideoReadError, match="corrupt or cut short"):
                reader.read(any_clip, [0.0, end])
        return
    for seed in range(6):
        rng = random.Random(seed)
        wanted = sorted(rng.choices(range(len(starts)), k=rng.choice((1, 2, 5))))
        seconds = [float(starts[index]) for index in wanted]
        (one, one_times), (other, other_times) = decord.read(any_clip, seconds), pyav.read(any_clip, seconds)
        np.testing.assert_allclose(one_times, starts[wanted], atol=1e-6)
        np.testing.assert_allclose(other_times, starts[wanted], atol=1e-6)
        for frames in (one, other):
            difference = np.abs(frames.astype(int) - truth[wanted]).mean(axis=(1, 2, 3))
            assert difference.max() < 2, f"frames {wanted} differ by {difference}"


@pytest.mark.parametrize("reader_type", READERS)
def test_times_outside_the_video_give_its_ends(reader_type: type[VideoReader], clip: Clip) -> None:
    frames, times = reader_type().read(clip("h264.mp4"), [-1.0, 0.0, 1.56, 99.0, 99.0])
    assert [number(frame) for frame in frames] == [0, 0, 39, 39, 39]
    np.testing.assert_allclose(times, [0.0, 0.0, 1.56, 1.56, 1.56])


@pytest.mark.parametrize("reader_type", READERS)
@pytest.mark.parametrize("seconds", [[], [1.0, 0.5]])
def test_times_must_not_fall(reader_type: type[VideoReader], seconds: list[float], clip: Clip) -> None:
    with pytest.raises(ValueError, match="non-decreasing, and at least one"):
        reader_type().read(clip("h264.mp4"), seconds)


MESSAGES = {
    "missing.mp4": "cannot be found .*Check the path in the annotation",
    "folder.mp4": "is a folder, not a file. FrameFolderReader",
    "empty.mp4": r"is empty \(0 bytes\)",
    "text.mp4": "not a video, or one that is damaged or cut short before its header",
    "noise.mp4": "not a video, or one that is damaged or cut short before its header",
    "sound.mp4": r"has no video that can be decoded \(streams found: audio\); is it an audio file",
    "no_index.mp4": "not a video, or one that is damaged or cut short before its header",
    "cut.mp4": r"is cut short or damaged, its last frame ends at byte \d+ of \d+",
    "cut.webm": r"is cut short or damaged, it ends after 0\.\d+ of 1.33 s",
    "flipped.mp4": "corrupt",
}


@pytest.mark.parametrize("reader_type", READERS)
@pytest.mark.parametrize("name", BROKEN)
def test_bad_files_are_named_with_what_is_wrong(name: str, reader_type: type[VideoReader], clip: Clip) -> None:
    path = clip(name)
    with pytest.raises(VideoReadError, match=f"^{re.escape(path)}: .*{MESSAGES[name]}"):
        reader_type().read(path, np.linspace(0, 1.6, 40).tolist())
    if name != "flipped.mp4":  # its header is sound
        with pytest.raises(VideoReadError, match=MESSAGES[name]):
            reader_type().probe(path)


@pytest.mark.parametrize("reader_type", READERS)
def test_random_damage_never_raises_anything_else(
    reader_type: type[VideoReader], clip: Clip, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    for seed in range(12):
        rng = random.Random(seed)
        name = rng.choice(["h264.mp4", "vp9.webm", "transport.ts", "b_frames.avi"])
        with open(clip(name), "rb") as file:
            data = bytearray(file.read())
        for _ in range(20):
            data[rng.randrange(len(data))] ^= rng.randrange(1, 256)
        path = folder / f"{seed}_{name}"
        path.write_bytes(data)
        outcome: object = None
        try:
            outcome = len(reader_type().read(str(path), [0.0, 0.8, 1.5])[0])
        except VideoReadError as error:
            outcome = str(error).partition(": ")[0]
        assert outcome in (3, str(path))


@pytest.mark.parametrize("reader_type", READERS)
def test_readers_are_registered_small_and_picklable(reader_type: type[VideoReader], clip: Clip) -> None:
    reader = VIDEO_READERS.build({"type": reader_type.__name__, "timeout": 5.0, "threads": 2})
    copy = pickle.loads(pickle.dumps(reader))
    assert (copy.timeout, copy.threads) == (5.0, 2)
    assert number(copy.read(clip("h264.mp4"), [0.4])[0][0]) == 10


@pytest.mark.parametrize("reader_type", READERS)
def test_a_timeout_must_be_positive(reader_type: type[VideoReader]) -> None:
    with pytest.raises(ValueError, match="timeout must be a positive number of seconds, got 0"):
        reader_type(timeout=0)  # type: ignore[call-arg]
