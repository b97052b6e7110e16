"""Every benchmark has a config, every config a benchmark and a metric that take what it says."""

from pathlib import Path

import pytest
from mmengine.config import Config

from elva.datasets.benchmarks import Benchmark
from elva.registry import DATASETS, METRICS, check_arguments, elva_scope

FOLDER = Path(__file__).parents[3] / "configs" / "_base_" / "benchmarks"
NAMES = sorted(file.stem for file in FOLDER.glob("*.py"))


@pytest.mark.parametrize("name", NAMES)
def test_a_config_names_what_is_there(name: str, tmp_path: Path) -> None:
    cfg = Config.fromfile(FOLDER / f"{name}.py")
    assert (FOLDER / f"{name}.py").read_text().startswith("# ")
    assert cfg.benchmark.data_root.startswith("data/") and cfg.benchmark.data_root.endswith("/")
    with elva_scope():
        assert issubclass(DATASETS.get(cfg.benchmark.type), Benchmark)
        with pytest.raises(FileNotFoundError, match=f"{cfg.benchmark.type}: .*{tmp_path}"):
            DATASETS.build({**cfg.benchmark, "data_root": str(tmp_path)})
        check_arguments(METRICS.get(cfg.evaluator.pop("type")), cfg.evaluator)  # WUPS is built where WordNet is


def test_every_benchmark_has_a_config() -> None:
    asked = {Config.fromfile(FOLDER / f"{name}.py").benchmark.type for name in NAMES}
    known = {name for name in DATASETS.names() if issubclass(DATASETS.get(name), Benchmark)}
    assert known - asked == set()


def test_a_misspelt_argument_is_named() -> None:
    with pytest.raises(ValueError, match=r"MSVDQA has no argument 'layuot'. Did you mean 'layout'\?"):
        DATASETS.build({"type": "MSVDQA", "data_root": "x", "layuot": "original"})
    with pytest.raises(ValueError, match=r"MSVDQA has no argument 'circlar'. Did you mean 'circular'\?"):
        DATASETS.build({"type": "MSVDQA", "data_root": "x", "circlar": True})
