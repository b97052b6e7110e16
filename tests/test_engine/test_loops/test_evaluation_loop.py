import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from mmengine.model import BaseModel
from torch import nn

from elva.datasets.benchmarks import Benchmark
from elva.evaluation.metrics import AnswerMetric
from elva.evaluation.predictions import read_predictions
from elva.registry import DATASETS, METRICS, MODELS, TRANSFORMS
from elva.structures import Question, VideoQASample
from elva.utils.launch import build_runner, end_processes
from elva.utils.launch import records as records_kept
from tests.test_engine.toy import loader, toy_config

ROOT = Path(__file__).parents[3]


@MODELS.register_module()
class Reciter(BaseModel):
    """Answers with the number of the question and the size of the batch, keeps a list, and dies when told to."""

    dies_after = -1

    def __init__(self, asked: str) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))
        self.asked = Path(asked)

    def forward(self, inputs: dict[str, Any], data_samples: list[VideoQASample], mode: str) -> list[VideoQASample]:
        for sample in data_samples:
            with self.asked.open("a") as file:
                file.write(f"{sample.id}\n")
            sample.prediction = f"{sample.id} of {len(data_samples)}"
            self.dies_after -= 1
            if self.dies_after == 0:
                os._exit(9)
        return data_samples


@DATASETS.register_module()
class Numbers(Benchmark):
    """As many questions as ``numbers.txt`` says, two a video."""

    def annotation_files(self) -> list[str]:
        return ["numbers.txt"]

    def load(self) -> list[Question]:
        count = int((self.root / "numbers.txt").read_text())
        return [
            Question(f"q{n}", f"{n // 2}.mp4", "?", f"q{n} of 1", groups={"half": str(n % 2)}, subtitles=f"{n}.srt")
            for n in range(count)
        ]


@METRICS.register_module()
class Equals(AnswerMetric):
    def judge(self, record: dict[str, Any]) -> dict[str, Any]:
        return {"parsed": record["raw"], "score": float(record["raw"] == record["answer"])}


@METRICS.register_module()
class Never(AnswerMetric):
    """Finds every answer wrong, when all are there."""

    def judge(self, record: dict[str, Any]) -> dict[str, Any]:
        return {"parsed": None, "score": 0.0}

    def complete(self, records: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [record | {"late": record["raw"]} for record in records]


@TRANSFORMS.register_module()
class PackUnseen:
    """The end of a pipeline that decodes nothing, but finds videos missing or broken."""

    def __call__(self, item: dict[str, Any]) -> dict[str, Any]:
        stats = {"error": item["error"]} if "error" in item else {}
        path = Path(item["videos"][0])
        if not stats and not path.exists():
            raise ValueError(f"{path.name}: cannot be found")
        if not stats and path.read_text() == "broken":
            raise ValueError(f"{path.name}: is broken")
        sample = VideoQASample(item["id"], "?", item["conversations"][1]["content"], meta=item["meta"], stats=stats)
        return {"inputs": {"labels": None}, "data_samples": sample}


def config(root: Path, work_dir: str = "run", **changes: Any) -> Config:
    """Seven questions about four videos."""
    (root / "numbers.txt").write_text("7")
    for n in range(4):
        (root / f"{n}.mp4").touch()
    cfg = toy_config(root / work_dir, val_cfg=None, val_dataloader=None, val_evaluator=None)
    cfg.custom_imports = dict(imports=[__name__], allow_failed_imports=False)
    cfg.model = dict(type="Reciter", asked=str(root / "asked.txt"))
    cfg.test_cfg = dict(type="EvaluationLoop")
    cfg.test_evaluator = dict(type="Equals")
    data = dict(type="Numbers", data_root=str(root), pipeline=[dict(type="PackUnseen")])
    cfg.test_dataloader = {**loader("DefaultSampler"), "dataset": data, "collate_fn": dict(type="collate_samples")}
    cfg.train_dataloader = cfg.train_cfg = cfg.optim_wrapper = cfg.param_scheduler = None
    cfg.merge_from_dict({key.replace("__", "."): value for key, value in changes.items()})
    cfg.launcher = changes.get("launcher", "none")
    return cfg


def asked(root: Path) -> list[str]:
    return (root / "asked.txt").read_text().split()


def run(cfg: Config) -> dict[str, float]:
    runner = build_runner(cfg)
    return runner.test()


def test_every_sample_is_answered_scored_and_written_in_order(tmp_path):
    scores = run(config(tmp_path))
    assert scores["accuracy/overall"] == 1 and scores["accuracy/half/0"] == 1 and scores["n"] == 7
    records = read_predictions(tmp_path / "run" / "predictions.jsonl")
    assert [record["id"] for record in records] == [f"q{n}" for n in range(7)]
    assert not (tmp_path / "run" / "evaluation").exists()


@pytest.mark.parametrize(("batch_size", "workers"), [(1, 0), (3, 0), (7, 2), (2, 1)])
def test_predictions_are_the_same_bytes_at_any_batch_size_and_number_of_workers(tmp_path, batch_size, workers):
    run(config(tmp_path, "one", test_dataloader__batch_size=1))
    run(config(tmp_path, "other", test_dataloader__batch_size=batch_size, test_dataloader__num_workers=workers))
    for name in ("predictions.jsonl", "protocol.json"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "other" / name).read_bytes()


def test_batches_stay_together_where_exactness_is_not_asked_for(tmp_path):
    run(config(tmp_path, test_cfg__exact=False, test_dataloader__batch_size=3))
    answers = [record["raw"] for record in read_predictions(tmp_path / "run" / "predictions.jsonl")]
    assert answers[0] == "q0 of 3" and answers[6] == "q6 of 1"


KILLED = "t.Reciter.dies_after = 4; t.run(t.config(t.Path({root!r}), test_dataloader__batch_size=1))"


def start(folder: Path, code: str, processes: int = 1) -> int:
    """Run ``code`` with this module as ``t``, in a process of its own or in several."""
    (folder / "script.py").write_text(f"import {__name__} as t\n{code}\n")
    launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={processes}"]
    command = [sys.executable, *(launcher if processes > 1 else []), "script.py"]
    env = {**os.environ, "PYTHONPATH": f"{ROOT}:{os.environ.get('PYTHONPATH', '')}", "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False).returncode


def test_a_killed_run_goes_on_and_asks_nothing_twice(tmp_path):
    assert start(tmp_path, KILLED.format(root=str(tmp_path))) == 9
    assert asked(tmp_path) == ["q0", "q1", "q2", "q3"]  # the fourth was asked, but not yet written
    assert run(config(tmp_path))["accuracy/overall"] == 1
    assert asked(tmp_path)[4:] == ["q3", "q4", "q5", "q6"]
    run(config(tmp_path, "whole"))
    whole, parts = (tmp_path / name / "predictions.jsonl" for name in ("whole", "run"))
    assert whole.read_bytes() == parts.read_bytes()


def test_answers_to_another_protocol_are_not_taken_over(tmp_path):
    assert start(tmp_path, KILLED.format(root=str(tmp_path))) == 9
    run(config(tmp_path, test_dataloader__dataset__take="first:5"))
    assert asked(tmp_path)[4:] == ["q0", "q1", "q2", "q3", "q4"]


def test_another_metric_takes_the_answers_over(tmp_path):
    assert start(tmp_path, KILLED.format(root=str(tmp_path))) == 9
    scores = run(config(tmp_path, test_evaluator=dict(type="Unscored", _delete_=True)))
    assert asked(tmp_path)[4:] == ["q3", "q4", "q5", "q6"] and scores["unlabelled"] == 7


def test_a_video_that_was_mended_is_asked_again_when_the_run_goes_on(tmp_path):
    cfg = config(tmp_path)
    (tmp_path / "0.mp4").write_text("broken")
    assert start(tmp_path, KILLED.format(root=str(tmp_path))) == 9
    (tmp_path / "0.mp4").write_text("")
    assert run(cfg)["coverage"] == 1 and asked(tmp_path)[4:] == ["q0", "q1", "q3", "q4", "q5", "q6"]


def test_each_of_several_metrics_has_scores_of_its_own(tmp_path):
    metrics = [dict(type="Equals"), dict(type="Unscored"), dict(type="Never", prefix="no")]
    cfg = config(tmp_path, test_evaluator=metrics)
    runner = build_runner(cfg)
    scores = runner.test()
    assert (scores["accuracy/overall"], scores["no/accuracy/overall"]) == (1, 0)
    assert (scores["unlabelled"], scores["Unscored/unlabelled"]) == (0, 7)
    records = read_predictions(tmp_path / "run" / "predictions.jsonl")
    assert records == records_kept(runner) and len(records) == 7 and records[0]["score"] == 1
    never = {"parsed": None, "score": 0.0, "late": "q0 of 1"}
    assert records[0]["also"] == {"Unscored": {"parsed": "q0 of 1", "score": None}, "no": never}


def test_two_metrics_of_one_name_are_refused(tmp_path):
    with pytest.raises(ValueError, match="two metrics have the prefix 'Equals'; give each a prefix of its own"):
        run(config(tmp_path, test_evaluator=[dict(type="Never"), dict(type="Equals"), dict(type="Equals")]))


def test_what_a_metric_cannot_judge_is_told_after_the_first_answer(tmp_path):
    cfg = config(tmp_path, test_evaluator=dict(type="MultipleChoice"), test_dataloader__batch_size=1)
    with pytest.raises(ValueError, match="question 'q0' has no options"):
        run(cfg)
    assert asked(tmp_path) == ["q0"]


def in_two_processes(root: Path) -> None:
    """What each of two processes does."""
    cfg = config(root, "two", launcher="pytorch", test_dataloader__batch_size=1)
    build_runner(cfg).test()
    end_processes()


def test_two_processes_divide_the_samples_without_duplicates(tmp_path):
    assert start(tmp_path, f"t.in_two_processes(t.Path({str(tmp_path)!r}))", processes=2) == 0
    assert sorted(asked(tmp_path)) == [f"q{n}" for n in range(7)]
    run(config(tmp_path, "one"))
    one, two = (tmp_path / name / "predictions.jsonl" for name in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()


def test_a_missing_video_stops_the_run_at_once_unless_it_is_allowed(tmp_path):
    cfg = config(tmp_path)
    (tmp_path / "3.mp4").unlink()
    with pytest.raises(
        ValueError, match=r"1 of 4 videos are missing: 6 of 7 .*\(85\.71%\).*\(3\.mp4\).*--allow-missing"
    ):
        run(cfg)
    assert not (tmp_path / "asked.txt").exists()


def test_missing_subtitles_stop_the_run_where_they_are_asked_with(tmp_path):
    for n in range(5):
        (tmp_path / f"{n}.srt").touch()
    missing = r"2 of 7 subtitle files are missing: 5 of 7 .*\(5\.srt, 6\.srt\)"
    with pytest.raises(ValueError, match=missing):
        run(config(tmp_path, test_dataloader__dataset__subtitles="full"))
    assert run(config(tmp_path))["n"] == 7


def test_with_leave_the_score_is_of_the_rest_and_says_so(tmp_path):
    cfg = config(tmp_path, test_evaluator__allow_missing=True)
    (tmp_path / "3.mp4").unlink()
    scores = run(cfg)
    assert scores["accuracy/overall"] == 1 and scores["coverage"] == pytest.approx(6 / 7)


def test_a_video_that_cannot_be_read_takes_the_headline_score_away(tmp_path):
    cfg = config(tmp_path)
    (tmp_path / "0.mp4").write_text("broken")
    scores = run(cfg)
    assert "accuracy/overall" not in scores and scores["coverage"] == pytest.approx(5 / 7)
    first = read_predictions(tmp_path / "run" / "predictions.jsonl")[0]
    assert first["error"] == "0.mp4: is broken" and first["score"] is None


def test_the_protocol_tells_data_model_and_versions(tmp_path):
    run(config(tmp_path))
    protocol = json.loads((tmp_path / "run" / "protocol.json").read_text())
    assert protocol["data"]["benchmark"] == "Numbers" and len(protocol["data"]["files"]["numbers.txt"]) == 64
    assert protocol["metrics"] == [{"metric": "Equals", "allow_missing": False}] and protocol["exact"] is True
    assert protocol["versions"]["torch"] == version("torch")


def test_metrics_of_another_kind_are_refused(tmp_path):
    with pytest.raises(ValueError, match="ToyMetric is no AnswerMetric"):
        run(config(tmp_path, test_evaluator=dict(_delete_=True, type="ToyMetric")))
