"""Questions through the pipeline of a model, video files included."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from elva.registry import DATASETS, elva_scope
from tests.test_datasets.test_benchmarks import layouts_b as layouts

LOAD = {
    "type": "LoadVideo",
    "reader": {"type": "PyAVReader"},
    "sampler": {"type": "UniformSampler", "num_frames": 3},
    "resolution": {"type": "FixedResolution", "size": (32, 32)},
}
BENCHMARKS: dict[str, tuple[Callable[[Path, str], None], dict[str, Any]]] = {
    "ActivityNetQA": (layouts.write_activitynet_qa, {}),
    "MSVDQA": (layouts.write_msvd_qa, {"layout": "original"}),
    "MSRVTTQA": (layouts.write_msrvtt_qa, {"layout": "original"}),
    "TGIFQA": (lambda root, clip: layouts.write_tgif_qa(root), {"task": "action", "layout": "original"}),
    "PerceptionTest": (layouts.write_perception_test, {}),
    "TempCompass": (layouts.write_temp_compass, {"task": "caption_matching"}),
}


@pytest.mark.parametrize("name", BENCHMARKS)
def test_a_question_through_load_video(name: str, tmp_path: Path, clip: Callable[[str], str]) -> None:
    write, arguments = BENCHMARKS[name]
    write(tmp_path, clip("h264.mp4"))
    with elva_scope():
        benchmark = DATASETS.build({"type": name, "data_root": str(tmp_path), "pipeline": [LOAD], **arguments})
    item = benchmark[0]
    assert "error" not in item and item["id"] == benchmark.questions[0].id
    (found,) = item["clips"]
    assert len(found.plan.seconds) == 3 and found.pixels[0].shape == (3, 3, 32, 32)
    assert item["conversations"][0]["content"].startswith("<video>\n")


def test_a_missing_video_is_an_error_of_its_sample(tmp_path: Path, clip: Callable[[str], str]) -> None:
    layouts.write_perception_test(tmp_path, clip("h264.mp4"))
    (tmp_path / "videos" / "video_7.mp4").unlink()
    with elva_scope():
        benchmark = DATASETS.build({"type": "PerceptionTest", "data_root": str(tmp_path), "pipeline": [LOAD]})
    assert "video_7.mp4" in benchmark[0]["error"]
