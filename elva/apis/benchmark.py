"""Asks a model's config the questions of a benchmark."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mmengine.config import Config

import elva
from elva.datasets.sampling import frame_rule

BENCHMARKS = Path(elva.__file__).parents[1] / "configs" / "_base_" / "benchmarks"


def benchmark_config(name: str) -> Config:
    """Return the config of a benchmark: ``benchmark`` (its data set) and ``evaluator``.

    Args:
        name: Of a file in ``configs/_base_/benchmarks``, without ``.py``; or the path of such a file.

    Raises:
        FileNotFoundError: If there is none; the known names are listed.
        ValueError: If the file has not the two parts.
    """
    from elva.utils.launch import read_config

    path = Path(name) if name.endswith(".py") else BENCHMARKS / f"{name}.py"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in BENCHMARKS.glob("*.py")))
        raise FileNotFoundError(f"There is no benchmark '{name}'. Known are: {known}; or give a config file.")
    cfg = read_config(path)
    missing = [key for key in ("benchmark", "evaluator") if key not in cfg]
    if missing:
        raise ValueError(f"{path} is no benchmark's config: it does not define {' and '.join(missing)}")
    return cfg


def use_benchmark(cfg: Config, name: str, data_root: str | None = None) -> None:
    """Let ``cfg`` test on a benchmark, through its own test pipeline.

    Args:
        cfg: A model's config with ``test_dataloader``; changed in place.
        name: See :func:`benchmark_config`.
        data_root: The benchmark's folder. Default: the one that its config names.

    Raises:
        ValueError: If ``cfg`` has no test pipeline.
    """
    found = benchmark_config(name)
    pipeline = pipeline_of(cfg)
    dataset = {**found.benchmark, "pipeline": pipeline}
    if data_root is not None:
        dataset["data_root"] = data_root
    cfg.test_dataloader.dataset = dataset
    cfg.test_evaluator = found.evaluator
    own = cfg.get("test_cfg") or {}
    cfg.test_cfg = own if own.get("type") == "EvaluationLoop" else {"type": "EvaluationLoop"}


def pipeline_of(cfg: Config) -> list[dict[str, Any]]:
    """The transforms that a config's test data go through.

    Raises:
        ValueError: If there are none.
    """
    loader = cfg.get("test_dataloader")
    pipeline = loader.dataset.get("pipeline") if loader else None
    if not pipeline:
        raise ValueError(f"{cfg.filename or 'the config'} has no test_dataloader.dataset.pipeline to ask through")
    return list(pipeline)


def use_frames(cfg: Config, rule: str | None, frames: int | None) -> None:
    """Let the test pipeline of ``cfg`` choose other frames.

    Args:
        cfg: Changed in place.
        rule: One of ``FRAME_RULES``. Default: the config's own.
        frames: How many. Default: the config's own.

    Raises:
        ValueError: If the rule is unknown, ``frames`` is below 1, or the config's sampler takes no number of frames.
    """
    if frames is not None and frames < 1:
        raise ValueError(f"--frames must be 1 or more, got {frames}")
    for step in _loading(cfg):
        number = frames if frames is not None else step.sampler.get("num_frames")
        if number is None or (rule is None and "num_frames" not in step.sampler):
            raise ValueError(
                f"{step.sampler.type} of the test pipeline takes no fixed number of frames; give both --frame-rule "
                "and --frames"
            )
        step.sampler = frame_rule(rule, number) if rule else {**step.sampler, "num_frames": number}


def allow_missing(cfg: Config) -> None:
    """Let a test give a score although videos are missing."""
    evaluators = cfg.test_evaluator if isinstance(cfg.test_evaluator, list | tuple) else [cfg.test_evaluator]
    for evaluator in evaluators:
        evaluator["allow_missing"] = True


def _loading(cfg: Config) -> Iterator[Any]:
    found = [step for step in pipeline_of(cfg) if step["type"] == "LoadVideo"]
    if not found:
        raise ValueError("the test pipeline has no LoadVideo, whose frames could be changed")
    return iter(found)
