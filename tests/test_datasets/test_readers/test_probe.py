from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

from elva.datasets.readers import DecordReader, PyAVReader
from elva.datasets.readers.probe import probe_file
from tests.clips import RECIPES, reference

Clip = Callable[[str], str]
CODECS = {"av1.mp4": "av1", "hevc.mp4": "hevc", "mpeg2.mpg": "mpeg2video"}
STARTS = {"late.mp4": 5.0, "late.mkv": 5.0, "transport.ts": 0.08, "mpeg2.mpg": 0.54}


@pytest.mark.parametrize("name", RECIPES)
def test_metadata_are_those_of_the_upright_video(name: str, clip: Clip) -> None:
    recipe, meta = RECIPES[name], probe_file(clip(name))
    assert meta.path == clip(name)
    assert (meta.height, meta.width) == recipe.size
    assert meta.duration == pytest.approx(recipe.seconds[-1] + float(recipe.tick), abs=1e-3)
    assert meta.fps == pytest.approx(len(recipe.ticks) / meta.duration, rel=1e-3)
    assert meta.start == pytest.approx(STARTS.get(name, 0.0), abs=1e-3)
    assert meta.codec == CODECS.get(name, "vp9" if name.endswith("webm") else "h264")


def test_both_readers_probe_alike(any_clip: str) -> None:
    assert DecordReader().probe(any_clip) == PyAVReader().probe(any_clip)


def test_metadata_agree_with_the_decoded_frames(any_clip: str) -> None:
    meta = probe_file(any_clip)
    try:
        frames, times = reference(any_clip)
    except av.FFmpegError:  # corrupt, but its header is sound
        assert meta.duration > 0
        return
    assert round(meta.duration * meta.fps) == len(frames)
    assert frames.shape[1:3] == (meta.height, meta.width)
    assert 0 < meta.duration - times[-1] <= 2 * np.diff(times, append=times[-1] + 0.05).max()


def test_foreign_characters_in_the_metadata_do_no_harm(clip: Clip, tmp_path: Path) -> None:
    path = tmp_path / "latin.mp4"
    with open(clip("h264.mp4"), "rb") as file:
        path.write_bytes(file.read().replace(b"VideoHandler", b"Vid\xe9oHandler"))
    assert path.read_bytes().count(b"Vid\xe9o")
    assert probe_file(str(path)).fps == 25


def test_a_picture_in_a_sound_file_is_no_video(clip: Clip, tmp_path: Path) -> None:
    path = tmp_path / "song.mp4"
    with av.open(clip("sound.mp4")) as song, av.open(str(path), "w") as out:
        sound = out.add_stream_from_template(song.streams.audio[0])
        cover = out.add_stream("mjpeg", rate=1)
        cover.height, cover.width, cover.pix_fmt = 16, 16, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        out.mux(cover.encode(av.VideoFrame(16, 16, "yuvj420p")))
        out.mux(cover.encode(None))
        for packet in song.demux(audio=0):
            if packet.dts is not None:
                packet.stream = sound
                out.mux(packet)
    with pytest.raises(ValueError, match="is it an audio file"):
        probe_file(str(path))
