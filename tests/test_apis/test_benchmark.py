from pathlib import Path

import pytest
from mmengine.config import Config

from elva.apis import benchmark
from elva.apis.benchmark import allow_missing, benchmark_config, use_benchmark, use_frames

LOAD = dict(type="LoadVideo", sampler=dict(type="UniformSampler", num_frames=8))
OWN = 'benchmark = dict(type="MyBenchmark", data_root="data/mine/")\nevaluator = dict(type="ExactMatch")\n'


@pytest.fixture
def cfg() -> Config:
    """A model's config with a test pipeline."""
    pipeline = [LOAD, dict(type="PackSample")]
    data = dict(dataset=dict(type="VideoTextDataset", ann_file="a.json", pipeline=pipeline), batch_size=2)
    return Config(dict(test_dataloader=data, test_evaluator=dict(type="Other"), test_cfg=dict(type="TestLoop")))


@pytest.fixture
def own(tmp_path: Path) -> str:
    (tmp_path / "mine.py").write_text(OWN)
    return str(tmp_path / "mine.py")


def test_a_benchmark_is_asked_through_the_models_own_pipeline(cfg, own) -> None:
    use_benchmark(cfg, own)
    dataset = cfg.test_dataloader.dataset
    assert dataset.type == "MyBenchmark" and dataset.data_root == "data/mine/" and "ann_file" not in dataset
    assert [step.type for step in dataset.pipeline] == ["LoadVideo", "PackSample"]
    assert cfg.test_evaluator.type == "ExactMatch" and cfg.test_cfg.type == "EvaluationLoop"
    assert cfg.test_dataloader.batch_size == 2
    use_benchmark(cfg, own, "elsewhere")
    assert cfg.test_dataloader.dataset.data_root == "elsewhere"


def test_how_a_config_evaluates_is_kept(cfg, own) -> None:
    cfg.test_cfg = dict(type="EvaluationLoop", exact=False)
    use_benchmark(cfg, own)
    assert cfg.test_cfg == dict(type="EvaluationLoop", exact=False)


def test_known_benchmarks_are_found_by_name(own, monkeypatch) -> None:
    monkeypatch.setattr(benchmark, "BENCHMARKS", Path(own).parent)
    assert benchmark_config("mine").benchmark.type == "MyBenchmark"
    with pytest.raises(FileNotFoundError, match=r"no benchmark 'yours'\. Known are: mine"):
        benchmark_config("yours")


def test_a_file_without_the_two_parts_is_refused(tmp_path) -> None:
    (tmp_path / "half.py").write_text("benchmark = dict(type='A')\n")
    with pytest.raises(ValueError, match=r"half\.py is no benchmark's config: it does not define evaluator"):
        benchmark_config(str(tmp_path / "half.py"))


def test_a_config_without_a_test_pipeline_is_refused(own) -> None:
    with pytest.raises(ValueError, match=r"no test_dataloader\.dataset\.pipeline to ask through"):
        use_benchmark(Config(dict(model=dict(type="M"))), own)


def test_frames_are_chosen_by_another_rule_or_number(cfg) -> None:
    use_frames(cfg, "vlmevalkit", None)
    step = cfg.test_dataloader.dataset.pipeline[0]
    assert step.sampler == dict(type="InnerSampler", num_frames=8)
    use_frames(cfg, None, 32)
    assert step.sampler == dict(type="InnerSampler", num_frames=32)
    use_frames(cfg, "segment-centres", 4)
    assert step.sampler == dict(type="SegmentCentreSampler", num_frames=4)


@pytest.mark.parametrize(("rule", "frames"), [("lmms-eval", None), (None, 8)])
def test_a_sampler_without_a_number_needs_both(cfg, rule, frames) -> None:
    cfg.test_dataloader.dataset.pipeline[0].sampler = dict(type="FPSSampler", fps=1)
    with pytest.raises(ValueError, match="FPSSampler .* takes no fixed number of frames; give both"):
        use_frames(cfg, rule, frames)


def test_a_pipeline_that_loads_nothing_is_refused(cfg) -> None:
    cfg.test_dataloader.dataset.pipeline = [dict(type="PackSample")]
    with pytest.raises(ValueError, match="the test pipeline has no LoadVideo"):
        use_frames(cfg, "lmms-eval", 8)


def test_leave_to_miss_videos_reaches_every_metric(cfg) -> None:
    allow_missing(cfg)
    assert cfg.test_evaluator.allow_missing
    cfg.test_evaluator = [dict(type="A"), dict(type="B")]
    allow_missing(cfg)
    assert [evaluator.allow_missing for evaluator in cfg.test_evaluator] == [True, True]
