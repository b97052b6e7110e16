from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from elva.datasets.readers import FrameFolderReader, VideoReadError
from elva.registry import VIDEO_READERS


def _write(folder: Path, names: list[str], size: tuple[int, int] = (4, 6)) -> str:
    for number, name in enumerate(names):
        Image.new("RGB", size[::-1], (number * 10,) * 3).save(folder / name)
    return str(folder)


def test_frames_are_in_natural_order_and_chosen_by_time(tmp_path: Path) -> None:
    path = _write(tmp_path, [f"frame_{number}.png" for number in range(12)])  # frame_10 sorts before frame_2 as text
    (tmp_path / "notes.txt").write_text("not a frame")
    reader = VIDEO_READERS.build({"type": "FrameFolderReader", "fps": 3.0})
    meta = reader.probe(path)
    assert (meta.duration, meta.fps, meta.height, meta.width) == (4.0, 3.0, 4, 6)
    frames, times = reader.read(path, [-1.0, 0.0, 1 / 3, 0.99, 10 / 3, 99.0])
    assert (frames[:, 0, 0, 0] // 10).tolist() == [0, 0, 1, 2, 10, 11]
    np.testing.assert_allclose(times, [0.0, 0.0, 1 / 3, 2 / 3, 10 / 3, 11 / 3])


def test_only_the_wanted_frames_are_read(tmp_path: Path) -> None:
    path = _write(tmp_path, ["1.png", "2.png", "3.png"])
    (tmp_path / "2.png").write_bytes(b"broken")
    assert FrameFolderReader(fps=1.0).read(path, [0.0, 2.0])[0].shape == (2, 4, 6, 3)
    with pytest.raises(VideoReadError, match=r"2\.png: not an image"):
        FrameFolderReader(fps=1.0).read(path, [1.0])


def test_bad_folders_are_named(tmp_path: Path) -> None:
    reader = FrameFolderReader(fps=1.0)
    (tmp_path / "a.mp4").touch()
    with pytest.raises(VideoReadError, match=r"a\.mp4: is not a folder of frames .*DecordReader and PyAVReader"):
        reader.probe(str(tmp_path / "a.mp4"))
    with pytest.raises(VideoReadError, match=r"gone: is not a folder of frames"):
        reader.read(str(tmp_path / "gone"), [0.0])
    with pytest.raises(VideoReadError, match=r"holds no images"):
        reader.probe(str(tmp_path))
    with pytest.raises(ValueError, match="fps must be positive, got 0"):
        FrameFolderReader(fps=0)


def test_frames_of_one_video_have_one_size(tmp_path: Path) -> None:
    path = _write(tmp_path, ["1.png"])
    Image.new("RGB", (5, 5)).save(tmp_path / "2.png")
    with pytest.raises(VideoReadError, match=r"2\.png: is 5x5, other frames of the folder are 6x4"):
        FrameFolderReader(fps=1.0).read(path, [0.0, 1.0])
