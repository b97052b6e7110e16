"""Every registered benchmark keeps the rules of the toolkit: config, docs, layout, questions, items, missing videos."""

import inspect
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from elva.apis.benchmark import BENCHMARKS, benchmark_config
from elva.datasets.benchmarks import Benchmark
from elva.datasets.moving_shapes import make_moving_shapes
from elva.registry import DATASETS, METRICS
from elva.utils.tiny_llm import TinyLLMSettings, make_tiny_llm
from tests.test_datasets.test_benchmarks import layouts_a, layouts_b

Writer = Callable[[Path, str], None]

CONFIGS = sorted(file.stem for file in BENCHMARKS.glob("*.py"))
CLASSES = sorted(
    name
    for name in DATASETS.names()
    if inspect.isclass(DATASETS.get(name)) and issubclass(DATASETS.get(name), Benchmark)
    if DATASETS.get(name).__module__.startswith("elva.")  # tests register some of their own
)
DOCS = (Path(__file__).parents[2] / "docs/benchmarks.md").read_text(encoding="utf-8")


def write_needle(root: Path, clip: str) -> None:
    row = {
        "id": "a-1",
        "video": "videos/a.mp4",
        "needle": "a",
        "question": "What?",
        "answer": "x",
        "options": ["x", "y"],
    }
    layouts_a.write_json(root / "needles.json", [row | {"length": 40, "depth": 0.5, "second": 0.8, "seconds": 0.04}])
    layouts_a.copy_clip(clip, root / "videos/a.mp4")


def write_moving_shapes(root: Path, clip: str) -> None:
    make_moving_shapes(root, {"test": 3})


def write_tgif_qa(root: Path, clip: str) -> None:
    """Both layouts: their files have different names."""
    layouts_b.write_tgif_qa(root)
    layouts_b.write_zero_shot(root, clip, "mp4/tumblr_a.mp4")


WRITERS: dict[str, Writer] = {
    "ActivityNetQA": layouts_b.write_activitynet_qa,
    "EgoSchema": layouts_a.write_egoschema,
    "LongVideoBench": layouts_a.write_long_video_bench,
    "MLVU": layouts_a.write_mlvu,
    "MSRVTTQA": lambda root, clip: layouts_b.write_zero_shot(root, clip, "videos/all/video7010.mp4"),
    "MSVDQA": lambda root, clip: layouts_b.write_zero_shot(root, clip, "videos/a_5_15.avi"),
    "MVBench": layouts_a.write_mvbench,
    "MovingShapes": write_moving_shapes,
    "NExTOE": layouts_a.write_next_qa,
    "NExTQA": layouts_a.write_next_qa,
    "PerceptionTest": layouts_b.write_perception_test,
    "TGIFQA": write_tgif_qa,
    "TempCompass": layouts_b.write_temp_compass,
    "VideoMME": layouts_a.write_video_mme,
    "VideoNeedle": write_needle,
}
"""Of each benchmark, what writes a small one."""


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """A model's whole test pipeline."""
    folder = tmp_path_factory.mktemp("llm")
    (folder / "texts.json").write_text(
        json.dumps([{"id": "a", "conversations": [{"from": "human", "value": "What?"}]}])
    )
    make_tiny_llm(folder, [folder / "texts.json"], TinyLLMSettings(hidden=8, layers=1, heads=2, intermediate=8))
    tokenize = {"type": "TokenizeConversation", "path": str(folder), "mode": "test"}
    return [*layouts_a.PIPELINE, tokenize, {"type": "PackSample"}]


@pytest.fixture(params=CONFIGS)
def config(request: pytest.FixtureRequest, tmp_path: Path, clip: Callable[[str], str]) -> dict[str, Any]:
    """The data set of each config, on small files in its layout."""
    found = dict(benchmark_config(request.param).benchmark)
    WRITERS[found["type"]](tmp_path, clip("h264.mp4"))
    return found | {"data_root": str(tmp_path)}


@pytest.mark.parametrize("name", CLASSES)
def test_every_benchmark_has_a_config_a_section_of_the_docs_and_a_layout(name: str) -> None:
    assert name in {benchmark_config(config).benchmark["type"] for config in CONFIGS}
    assert name in WRITERS
    assert re.search(rf"^#+ .*`{name}`", DOCS, re.MULTILINE), f"docs/benchmarks.md has no heading with `{name}`"


@pytest.mark.parametrize("name", CONFIGS)
def test_every_config_says_what_it_is_and_names_a_metric(name: str) -> None:
    text = (BENCHMARKS / f"{name}.py").read_text(encoding="utf-8")
    cfg = benchmark_config(name)
    assert text.startswith("# ") and cfg.evaluator["type"] in METRICS
    assert cfg.benchmark["data_root"].startswith("data/") and f"`{name}`" in DOCS


def test_questions_are_distinct_and_their_right_answers_among_the_options(config: dict[str, Any]) -> None:
    benchmark: Benchmark = DATASETS.build(config)
    questions = benchmark.questions
    assert questions and len({question.id for question in questions}) == len(questions)
    for index, question in enumerate(questions):
        assert question.text and question.video and benchmark.id(index) == question.id
        if question.is_choice and question.correct is not None:
            assert question.options[question.correct] and len(set(question.options)) == len(question.options)
        assert all(isinstance(part, str) and part for part in question.groups.values())
    assert any((Path(config["data_root"]) / question.video).exists() for question in questions)
    json.dumps(benchmark.protocol())


def test_items_go_through_a_models_pipeline(config: dict[str, Any], pipeline: list[dict[str, Any]]) -> None:
    benchmark: Benchmark = DATASETS.build(config | {"pipeline": pipeline})
    index = next(i for i in range(len(benchmark)) if Path(benchmark.raw(i)["videos"][0]).exists())
    packed = benchmark[index]
    sample, question = packed["data_samples"], benchmark.question(index)
    assert "error" not in sample.stats and sample.answer == (question.reference or "")
    assert sample.question.count("<video>") == len(packed["inputs"]["clips"]) == len(sample.plans) == len(sample.videos)
    assert sum(len(plan) for plan in sample.plans) == 4 and packed["inputs"]["input_ids"].numel() > 4
    assert question.text in sample.question and sample.meta["groups"] == dict(question.groups)


def test_without_a_video_the_others_are_asked(config: dict[str, Any], pipeline: list[dict[str, Any]]) -> None:
    benchmark: Benchmark = DATASETS.build(config | {"pipeline": pipeline})
    there = [q for q in benchmark.questions if (benchmark.root / q.video).is_file()]
    gone = there[0].video
    (benchmark.root / gone).unlink()
    coverage = DATASETS.build(config).verify()  # a file with another suffix would be looked for: it is not there either
    assert coverage.share < 1 and coverage.missing and coverage.unanswerable >= 1
    index = next(i for i in range(len(benchmark)) if benchmark.question(i).video == gone)
    sample = benchmark[index]["data_samples"]
    assert Path(gone).name in sample.stats["error"] and sample.id == benchmark.id(index)


def test_every_rotation_is_a_sample_of_its_own(config: dict[str, Any]) -> None:
    benchmark: Benchmark = DATASETS.build(config | {"circular": True})
    expected = sum(len(q.options) if q.is_choice else 1 for q in benchmark.questions)
    assert len(benchmark) == expected == len({benchmark.id(index) for index in range(len(benchmark))})
