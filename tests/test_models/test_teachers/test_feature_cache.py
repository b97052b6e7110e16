import os

import pytest
import torch
from safetensors.torch import load_file

from elva.models.teachers import FeatureCache, HOGTeacher, cached_features, feature_key, teacher_frames
from elva.structures import Clip, FramePlan

PLAN = FramePlan((0.0, 1.0), ((8, 8), (8, 8)))
KEYS = ["aa1", "ab2", "ba3"]


class Computer:
    """Counts what it was asked for."""

    def __init__(self):
        self.asked = []

    def __call__(self, places):
        self.asked.append(places)
        return [torch.full((2, 3), float(place)) for place in places]


@pytest.fixture
def warnings(monkeypatch):
    messages = []
    monkeypatch.setattr("mmengine.logging.MMLogger.warning", lambda self, text: messages.append(text))
    return messages


def test_only_what_is_missing_is_computed(tmp_path):
    computer, cache = Computer(), FeatureCache(str(tmp_path / "cache"))
    cache.get_or_compute(KEYS[:1], computer)
    features = cache.get_or_compute(KEYS, computer)
    again = FeatureCache(str(tmp_path / "cache")).get_or_compute(KEYS, computer)
    assert computer.asked == [[0], [1, 2]]
    assert [f.mean().item() for f in features] == [f.mean().item() for f in again] == [0, 1, 2]


def test_a_stacked_tensor_will_do_and_precision_is_kept(tmp_path):
    cache = FeatureCache(str(tmp_path))
    whole = torch.rand(2, 4, 5).to(torch.bfloat16)
    cache.get_or_compute(KEYS[:2], lambda places: whole[places])
    stored = cache.get_or_compute(KEYS[:2], lambda places: pytest.fail("computed again"))
    assert torch.equal(torch.stack(stored), whole)


def test_files_are_safetensors_without_leftovers(tmp_path):
    FeatureCache(str(tmp_path)).get_or_compute(KEYS, Computer())
    files = sorted(p for p in tmp_path.rglob("*") if p.is_file())
    assert [p.name for p in files] == [f"{key}.safetensors" for key in KEYS]
    assert load_file(files[0])["features"].shape == (2, 3)


def test_an_unreadable_file_is_made_anew_and_named(tmp_path, warnings):
    cache, computer = FeatureCache(str(tmp_path)), Computer()
    cache.get_or_compute(KEYS[:1], computer)
    file = tmp_path / "aa" / "aa1.safetensors"
    file.write_bytes(file.read_bytes()[:20])
    assert cache.get_or_compute(KEYS[:1], computer)[0].shape == (2, 3)
    assert len(computer.asked) == 2
    assert load_file(file)["features"].shape == (2, 3)
    assert len(warnings) == 1
    assert "aa1.safetensors is unreadable" in warnings[0]


def test_a_full_disk_ends_the_storing_not_the_run(tmp_path, monkeypatch, warnings):
    def full(tensors, path):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("elva.utils.tensor_store.save_file", full)
    cache, computer = FeatureCache(str(tmp_path)), Computer()
    for _ in range(2):
        assert len(cache.get_or_compute(KEYS, computer)) == 3
    assert computer.asked == [[0, 1, 2]] * 2
    assert len(warnings) == 1
    assert "No space left" in warnings[0]
    assert not [p for p in tmp_path.rglob("*") if p.is_file()]


def test_the_files_unused_for_longest_go_first(tmp_path):
    computer = Computer()
    FeatureCache(str(tmp_path)).get_or_compute(KEYS, computer)
    size = (tmp_path / "aa" / "aa1.safetensors").stat().st_size
    for age, key in enumerate(KEYS):  # KEYS[2] is the oldest
        os.utime(tmp_path / key[:2] / f"{key}.safetensors", (1000 - age, 1000 - age))
    cache = FeatureCache(str(tmp_path), max_bytes=int(3.5 * size))
    cache.get_or_compute(KEYS[2:], computer)  # used now
    cache.get_or_compute(["cc4"], computer)
    left = {p.stem for p in tmp_path.rglob("*.safetensors")}
    assert left == {"aa1", "ba3", "cc4"}


def test_key_follows_the_file_the_plan_and_the_teacher(tmp_path):
    video = tmp_path / "a.mp4"
    video.write_bytes(b"12345")
    key = feature_key(str(video), PLAN, "hog")
    assert feature_key(str(video), PLAN, "hog") == key
    assert feature_key(str(video), FramePlan((0.0, 2.0), PLAN.sizes), "hog") != key
    assert feature_key(str(video), FramePlan(PLAN.seconds, ((16, 8),) * 2), "hog") != key
    assert feature_key(str(video), PLAN, "siglip") != key
    video.write_bytes(b"123456")
    assert feature_key(str(video), PLAN, "hog") != key


def test_key_of_a_folder_follows_its_frames(tmp_path):
    (tmp_path / "0.png").write_bytes(b"1")
    key = feature_key(str(tmp_path), PLAN, "hog")
    (tmp_path / "1.png").write_bytes(b"1")
    assert feature_key(str(tmp_path), PLAN, "hog") != key


def test_cached_features_are_the_teachers_own(tmp_path, monkeypatch):
    clips = []
    for length in (3, 2):
        video = tmp_path / f"{length}.mp4"
        video.write_bytes(b"0" * length)
        plan = FramePlan(tuple(float(t) for t in range(length)), ((16, 16),) * length)
        clips.append(Clip(plan, (torch.rand(length, 3, 16, 16),), str(video)))
    frames, unit = teacher_frames(clips, 16, lambda pixels: pixels, 1)
    teacher, cache = HOGTeacher(image_size=16), FeatureCache(str(tmp_path / "cache"))
    known = (unit >= 0)[..., None, None, None]
    expected = teacher(frames).masked_fill(~known, 0)
    cached_features(cache, teacher, clips[:1], frames[:1])  # one of the two is stored
    torch.testing.assert_close(cached_features(cache, teacher, clips, frames), expected)
    monkeypatch.setattr(teacher, "forward", lambda frames: pytest.fail("computed again"))
    torch.testing.assert_close(cached_features(cache, teacher, clips, frames), expected)


def test_key_of_a_video_in_a_shard_follows_the_shard(tmp_path):
    shard = tmp_path / "0.tar"
    shard.write_bytes(b"1")
    key, other = (feature_key(f"{shard}::{name}.mp4", PLAN, "hog") for name in "12")
    assert key != other
    shard.write_bytes(b"12")
    assert feature_key(f"{shard}::1.mp4", PLAN, "hog") != key
