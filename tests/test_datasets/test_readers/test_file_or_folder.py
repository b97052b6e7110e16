from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from elva.datasets.readers import VideoReadError
from elva.registry import VIDEO_READERS

CONFIG = {
    "type": "FileOrFolderReader",
    "file": {"type": "PyAVReader"},
    "folder": {"type": "FrameFolderReader", "fps": 2},
}


def test_files_and_folders_go_to_their_readers(clip: Callable[[str], str], tmp_path: Path) -> None:
    for number in range(3):
        Image.new("RGB", (32, 16), (100 * number, 0, 0)).save(tmp_path / f"{number}.png")
    reader = VIDEO_READERS.build(CONFIG)
    folder = reader.probe(str(tmp_path))
    assert (folder.duration, folder.fps, folder.codec) == (1.5, 2, "frames")
    frames, seconds = reader.read(str(tmp_path), [0.5, 1.0])
    assert frames[:, 0, 0, 0].tolist() == [100, 200] and seconds.tolist() == [0.5, 1.0]
    video = clip("h264.mp4")
    plain = VIDEO_READERS.build(CONFIG["file"])
    assert reader.probe(video) == plain.probe(video)
    assert (reader.read(video, [0.0, 0.4])[0] == plain.read(video, [0.0, 0.4])[0]).all()


def test_what_is_not_there_is_the_file_readers_to_tell(tmp_path: Path) -> None:
    with pytest.raises(VideoReadError, match="cannot be found"):
        VIDEO_READERS.build(CONFIG).probe(str(tmp_path / "gone"))
