from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFile

from elva.datasets.readers import (
    DecordReader,
    FrameFolderReader,
    PyAVReader,
    VideoReader,
    VideoReadError,
    is_image_file,
)

READERS = [DecordReader(), PyAVReader(), FrameFolderReader(fps=3.0)]
HALVES = np.concatenate([np.full((8, 6, 3), (250, 10, 10)), np.full((4, 6, 3), (10, 10, 250))]).astype(np.uint8)
"""(12, 6, 3): two thirds red, below them blue."""


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: type(reader).__name__)
@pytest.mark.parametrize("suffix", [".jpg", ".jpeg", ".png", ".webp", ".bmp", ".PNG"])
def test_an_image_is_a_video_of_one_frame(reader: VideoReader, suffix: str, tmp_path: Path) -> None:
    path = str(tmp_path / f"image{suffix}")
    Image.fromarray(HALVES).save(path, quality=95)
    meta = reader.probe(path)
    assert (meta.height, meta.width, meta.duration, meta.fps, meta.codec) == (12, 6, 0.0, 0.0, "image")
    frames, times = reader.read(path, [0.0])
    assert frames.shape == (1, 12, 6, 3) and frames.dtype == np.uint8 and times.tolist() == [0.0]
    assert np.abs(frames[0, [2, 10]].astype(int) - HALVES[[2, 10]]).max() < 40  # jpeg and webp are lossy
    assert reader.read(path, [0.0, 1.0])[0].shape == (2, 12, 6, 3)


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: type(reader).__name__)
def test_images_are_turned_upright(reader: VideoReader, tmp_path: Path) -> None:
    path = str(tmp_path / "turned.png")
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: a clockwise quarter turn makes it upright
    Image.fromarray(np.rot90(HALVES)).save(path, exif=exif)
    assert (reader.probe(path).height, reader.probe(path).width) == (12, 6)
    np.testing.assert_array_equal(reader.read(path, [0.0])[0][0], HALVES)


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA", "P", "CMYK", "1"])
def test_every_colour_mode_becomes_rgb(mode: str, tmp_path: Path) -> None:
    path = str(tmp_path / ("image.jpg" if mode == "CMYK" else "image.png"))
    Image.new(mode, (5, 4)).save(path)
    assert PyAVReader().read(path, [0.0])[0].shape == (1, 4, 5, 3)


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: type(reader).__name__)
def test_bad_images_are_named(reader: VideoReader, tmp_path: Path) -> None:
    whole = tmp_path / "whole.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)).save(whole)
    cut, text, empty = tmp_path / "cut.png", tmp_path / "text.jpg", tmp_path / "empty.bmp"
    cut.write_bytes(whole.read_bytes()[:3000])
    text.write_text("no image")
    empty.touch()
    with pytest.raises(VideoReadError, match=r"cut.png: not an image, or a damaged one"):
        reader.read(str(cut), [0.0])
    with pytest.raises(VideoReadError, match=r"text.jpg: not an image, or a damaged one"):
        reader.probe(str(text))
    with pytest.raises(VideoReadError, match=r"empty.bmp: is empty"):
        reader.probe(str(empty))
    with pytest.raises(VideoReadError, match=r"gone.jpg: cannot be found"):
        reader.read(str(tmp_path / "gone.jpg"), [0.0])


def test_a_library_that_lets_pillow_fill_up_images_changes_nothing(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)).save(tmp_path / "whole.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "whole.png").read_bytes()[:3000])
    with pytest.raises(VideoReadError, match=r"cut.png: not an image, or a damaged one"):
        PyAVReader().read(str(tmp_path / "cut.png"), [0.0])


def test_images_are_told_by_their_suffix() -> None:
    assert [is_image_file(name) for name in ("a/b.jpg", "b.JPEG", "c.webp", "d.mp4", "jpg", "e.jpg.mp4")] == [
        True,
        True,
        True,
        False,
        False,
        False,
    ]
