from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch

from elva.datasets.readers.base import VideoReader, VideoReadError
from elva.datasets.sampling.base import FrameSampler, ResolutionScheduler
from elva.datasets.transforms import LoadVideo
from elva.registry import FRAME_SAMPLERS, RESOLUTION_SCHEDULERS, TRANSFORMS, VIDEO_READERS
from elva.structures import FramePlan, VideoMeta


class CountingReader(VideoReader):
    """Frame ``t`` is filled with ``10 * t``; true times lie a little before the ones asked for."""

    def probe(self, path: str) -> VideoMeta:
        if path == "bad":
            raise VideoReadError("bad: no video stream")
        return VideoMeta(path, duration=8.0, fps=1.0, height=4, width=6)

    def read(self, path: str, seconds: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
        times = np.floor(seconds)
        return np.tile(10 * times[:, None, None, None], (1, 4, 6, 3)).astype(np.uint8), times


class ThreeFrames(FrameSampler):
    """Remembers what it was asked."""

    query: str | None = None

    def plan(self, meta: VideoMeta, query: str | None = None) -> FramePlan:
        ThreeFrames.query = query
        return FramePlan((0.5, 2.5, 4.5))


class TwoSizes(ResolutionScheduler):
    """Every other frame is small."""

    def assign(self, plan: FramePlan, meta: VideoMeta) -> FramePlan:
        return FramePlan(plan.seconds, tuple((4, 6) if i % 2 == 0 else (2, 3) for i in range(len(plan))))


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> LoadVideo:
    parts = {"CountingReader": VIDEO_READERS, "ThreeFrames": FRAME_SAMPLERS, "TwoSizes": RESOLUTION_SCHEDULERS}
    for name, registry in parts.items():
        registry.names()  # import the real ones first
        monkeypatch.setitem(registry._module_dict, name, globals()[name])
    types = dict(zip(("reader", "sampler", "resolution"), ({"type": name} for name in parts), strict=True))
    return TRANSFORMS.build({"type": "LoadVideo", **types})


def _results(*videos: str, **keys: str) -> dict:
    return {"id": "s", "videos": list(videos), "conversations": [{"role": "user", "content": "Why?"}], **keys}


@pytest.mark.parametrize("cache", ["frames", {}, {"max_bytes": 1}, {"directory": "frames", "max_byte": 1}])
def test_a_cache_names_its_folder(load: LoadVideo, cache: Any) -> None:
    with pytest.raises(ValueError, match=r"cache must be dict\(directory=\.\.\.\), with max_bytes if you like, got"):
        LoadVideo({"type": "CountingReader"}, {"type": "ThreeFrames"}, {"type": "TwoSizes"}, cache)


def test_frames_come_in_their_sizes_with_true_times(load: LoadVideo) -> None:
    (clip,) = load(_results("a"))["clips"]
    assert clip.path == "a" and clip.plan.seconds == (0.0, 2.0, 4.0)
    assert clip.plan.sizes == ((4, 6), (2, 3), (4, 6))
    large, small = clip.pixels
    assert large.shape == (2, 3, 4, 6) and small.shape == (1, 3, 2, 3)
    assert large.dtype == torch.uint8
    assert large[:, 0, 0, 0].tolist() == [0, 40] and small.unique().tolist() == [20]


def test_frames_of_one_size_stay_in_order(load: LoadVideo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TwoSizes, "assign", lambda _, plan, meta: FramePlan(plan.seconds, ((4, 6),) * 3))
    (clip,) = load(_results("a"))["clips"]
    assert clip.pixels[0][:, 0, 0, 0].tolist() == [0, 20, 40]


def test_each_video_has_a_clip_and_the_sampler_sees_the_question(load: LoadVideo) -> None:
    clips = load(_results("a", "b"))["clips"]
    assert [clip.path for clip in clips] == ["a", "b"]
    assert ThreeFrames.query == "Why?"


def test_text_alone_has_no_clips(load: LoadVideo) -> None:
    assert load(_results())["clips"] == []


def test_unreadable_videos_are_reported(load: LoadVideo) -> None:
    with pytest.raises(VideoReadError, match="bad: no video stream"):
        load(_results("bad"))


def test_a_failed_sample_gets_one_blank_frame_without_reading(load: LoadVideo) -> None:
    (clip,) = load(_results("bad", error="it broke"))["clips"]
    assert clip.pixels[0].shape == (1, 3, 4, 6) and clip.pixels[0].unique().tolist() == [128]
