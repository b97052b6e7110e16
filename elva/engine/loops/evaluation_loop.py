"""Evaluation that can be killed and continued, split over processes, and repeated byte for byte."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import barrier, broadcast_object_list, get_rank, get_world_size, is_main_process
from mmengine.evaluator import Evaluator
from mmengine.logging import print_log
from mmengine.registry import DATASETS
from mmengine.runner import BaseLoop
from torch.utils.data import Sampler

from elva.evaluation.metrics import AnswerMetric
from elva.evaluation.predictions import PredictionParts, write_predictions
from elva.evaluation.protocol import make_protocol, protocol_digest
from elva.evaluation.records import Record
from elva.registry import LOOPS
from elva.structures import VideoQASample


@LOOPS.register_module()
class EvaluationLoop(BaseLoop):
    """Answers every sample of the test data once, and scores the answers.

    ``work_dir/predictions.jsonl`` has a record of each answer, in the data's order, ``work_dir/protocol.json`` what
    must be told with the score. Until all are there, the answers lie in ``work_dir/evaluation/<digest of the
    protocol>/``: a run that was killed goes on there, with any number of processes. The samples that are left are
    dealt out to the processes, each to one.

    A batch of several samples changes the last bits of a model's numbers, and so, now and then, an answer. With
    ``exact`` the samples go through the model one by one: the predictions are the same bytes whatever the batch size.

    Args:
        runner: The runner; given by it.
        dataloader: Config of the dataloader; its sampler is not used.
        evaluator: Config of metrics, each an :class:`AnswerMetric`.
        exact: Whether each sample goes through the model alone. Default: on a CPU, where a batch gains little.

    Raises:
        ValueError: If a metric is of another kind.
    """

    def __init__(self, runner: Any, dataloader: dict[str, Any], evaluator: Any, exact: bool | None = None) -> None:
        if not isinstance(dataloader, dict):
            raise ValueError("EvaluationLoop: test_dataloader must be a config, of which the loop takes what is left")
        self.evaluator: Evaluator = evaluator if isinstance(evaluator, Evaluator) else runner.build_evaluator(evaluator)
        for metric in self.evaluator.metrics:
            if not isinstance(metric, AnswerMetric):
                raise ValueError(
                    f"test_evaluator: {type(metric).__name__} is no AnswerMetric; use test_cfg=dict(type='TestLoop')"
                )
        dataset = dataloader["dataset"]
        dataset = DATASETS.build(dataset) if isinstance(dataset, dict) else dataset
        device = next(runner.model.parameters()).device.type
        self.exact = device == "cpu" if exact is None else exact
        precision = (runner.cfg.get("optim_wrapper") or {}).get("type", "")
        self.protocol = make_protocol(
            runner.cfg,
            dataset,
            self.evaluator.metrics,
            self.exact,
            device,
            "mixed" if precision == "MixedPrecisionOptimWrapper" else str(next(runner.model.parameters()).dtype),
        )
        self.work_dir = Path(runner.work_dir)
        self.parts = PredictionParts(self.work_dir / "evaluation" / protocol_digest(self.protocol))
        self.answered = self.parts.read()
        barrier()  # everybody has read before anybody writes
        left = [index for index in range(len(dataset)) if index not in self.answered]
        self.indices = left[get_rank() :: get_world_size()]
        super().__init__(runner, {**dataloader, "dataset": dataset, "sampler": _Listed(self.indices)})
        self.evaluator.dataset_meta = getattr(dataset, "metainfo", None)

    def run(self) -> dict[str, float]:
        """Answer what is left, write the predictions, and return the scores."""
        _check_coverage(self.dataloader.dataset, self.evaluator.metrics)
        if self.answered:
            total = len(self.dataloader.dataset)
            print_log(f"Continuing: {len(self.answered)} of {total} samples are answered already.", "current")
        self.runner.call_hook("before_test")
        self.runner.call_hook("before_test_epoch")
        self.runner.model.eval()
        places = iter(self.indices)
        for number, batch in enumerate(self.dataloader):
            self.run_iter(number, batch, places)
        metrics = self._finish()
        self.runner.call_hook("after_test_epoch", metrics=metrics)
        self.runner.call_hook("after_test")
        return metrics

    @torch.no_grad()
    def run_iter(self, number: int, batch: dict[str, Any], places: Iterator[int]) -> None:
        """Answer a batch and keep the answers."""
        self.runner.call_hook("before_test_iter", batch_idx=number, data_batch=batch)
        pieces = _singles(batch) if self.exact else [batch]
        samples = [sample for piece in pieces for sample in self.runner.model.test_step(piece)]
        self.parts.append(get_rank(), [(next(places), self._judge(sample)) for sample in samples])
        self.runner.call_hook("after_test_iter", batch_idx=number, data_batch=batch, outputs=samples)

    def _judge(self, sample: VideoQASample) -> Record:
        """The record of a sample; what metrics after the first make of it is under ``also``."""
        first, *others = self.evaluator.metrics
        record = first.judged(sample)
        if others:
            record["also"] = {type(metric).__name__: metric.judgement(record) for metric in others}
        return record

    def _finish(self) -> dict[str, float]:
        """The scores, computed by the main process from the answers of all."""
        barrier()
        metrics: list[Any] = [None]
        if is_main_process():
            found = self.parts.read()
            records = [found[index] for index in range(len(self.dataloader.dataset))]
            metrics = [self._score(records)]
            write_predictions(self.work_dir / "predictions.jsonl", self.evaluator.metrics[0].records)
            path = self.work_dir / "protocol.json"
            path.write_text(json.dumps(self.protocol, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
            self.parts.remove()
        broadcast_object_list(metrics)
        scores: dict[str, float] = metrics[0]
        return scores

    def _score(self, records: list[Record]) -> dict[str, float]:
        scores: dict[str, float] = {}
        for number, metric in enumerate(self.evaluator.metrics):
            name = type(metric).__name__
            seen = [record | record["also"][name] for record in records] if number else records
            prefix = f"{metric.prefix}/" if metric.prefix else ""
            scores |= {f"{prefix}{key}": value for key, value in metric.compute_metrics(seen).items()}
        return scores


class _Listed(Sampler[int]):
    """The given indices, in their order."""

    def __init__(self, indices: Sequence[int]) -> None:
        self.indices = indices

    def __iter__(self) -> Iterator[int]:
        return iter(self.indices)

    def __len__(self) -> int:
        return len(self.indices)


def _singles(batch: dict[str, Any]) -> list[dict[str, Any]]:
    """A batch of ``collate_samples`` as batches of one sample."""
    inputs, samples = batch["inputs"], batch["data_samples"]
    return [
        {
            "inputs": {key: values if values is None else values[n : n + 1] for key, values in inputs.items()},
            "data_samples": samples[n : n + 1],
        }
        for n in range(len(samples))
    ]


def _check_coverage(dataset: Any, metrics: Sequence[AnswerMetric]) -> None:
    """Refuse, before hours of work, a benchmark of which videos are missing."""
    if not hasattr(dataset, "verify"):
        return
    coverage = dataset.verify()
    if coverage.missing:
        named = ", ".join(coverage.missing[:5]) + (", ..." if len(coverage.missing) > 5 else "")
        text = f"{type(dataset).__name__} in {dataset.source}: {coverage.words()} ({named})."
        if not all(metric.allow_missing for metric in metrics):
            raise ValueError(f"{text} No score is given of a part; --allow-missing asks for one all the same.")
        print_log(text, "current")
