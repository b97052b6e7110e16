"""Evaluation that can be killed and continued, split over processes, and repeated byte for byte."""

import json
from collections.abc import Iterator, Sequence, Sized
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import barrier, broadcast_object_list, get_rank, get_world_size, is_main_process
from mmengine.evaluator import Evaluator
from mmengine.logging import print_log
from mmengine.runner import BaseLoop
from torch.utils.data import Sampler

from elva.evaluation.metrics import AnswerMetric, score_all, tell_apart
from elva.evaluation.predictions import PredictionParts, write_predictions
from elva.evaluation.protocol import make_protocol, protocol_digest
from elva.evaluation.records import record_of
from elva.registry import LOOPS


@LOOPS.register_module()
class EvaluationLoop(BaseLoop):
    """Answers every sample of the test data once, and scores the answers.

    ``work_dir/predictions.jsonl`` has a record of each answer, in the data's order, ``work_dir/protocol.json`` what
    must be told with the score. Until all are there, the answers lie in ``work_dir/evaluation/<digest of the
    protocol>/``: a run that was killed goes on there, with any number of processes. The samples that are left are
    dealt out to the processes, each to one. Samples whose video could not be used are asked again there.

    The answers are judged when all are there, so another metric does not ask anew. Scores of the metrics after the
    first have the metric's ``prefix`` in front (default: its type), and their judgements are under ``also`` in each
    record.

    A batch of several samples changes the last bits of a model's numbers, which may change an answer. With
    ``exact`` the samples go through the model one by one: the predictions are the same bytes whatever the batch size.

    Args:
        runner: The runner; given by it.
        dataloader: Config of the dataloader; its sampler is not used.
        evaluator: Config of metrics, each an :class:`AnswerMetric`; the first one's score is that of the run.
        exact: Whether each sample goes through the model alone. Default: on a CPU, where a batch gains little.

    Raises:
        ValueError: If a metric is of another kind, two have the same prefix, or there is nothing to ask.
    """

    def __init__(self, runner: Any, dataloader: dict[str, Any], evaluator: Any, exact: bool | None = None) -> None:
        if not isinstance(dataloader, dict):
            raise ValueError("EvaluationLoop: test_dataloader must be a config; the loop chooses the samples itself")
        self.evaluator: Evaluator = evaluator if isinstance(evaluator, Evaluator) else runner.build_evaluator(evaluator)
        tell_apart(self.evaluator.metrics)
        super().__init__(runner, {**dataloader, "sampler": {"type": _Listed}})
        self.evaluator.dataset_meta = getattr(self.dataloader.dataset, "metainfo", None)
        self.device = next(runner.model.parameters()).device.type
        self.exact = self.device == "cpu" if exact is None else exact
        self.work_dir = Path(runner.work_dir)

    def run(self) -> dict[str, float]:
        """Answer what is left, write the predictions, and return the scores."""
        dataset = self.dataloader.dataset
        if not len(dataset):
            raise ValueError(f"{type(dataset).__name__} in {dataset.source}: there is no sample to answer")
        _check_coverage(dataset, self.evaluator.metrics)
        protocol = self._protocol()
        parts = PredictionParts(self.work_dir / "evaluation" / protocol_digest(protocol))
        answered = {index for index, record in parts.read().items() if "error" not in record}
        barrier()  # everybody has read before anybody writes
        if answered:
            print_log(f"Continuing: {len(answered)} of {len(dataset)} samples are answered already.", "current")
        left = [index for index in range(len(dataset)) if index not in answered]
        self.dataloader.sampler.indices = left[get_rank() :: get_world_size()]
        self.runner.call_hook("before_test")
        self.runner.call_hook("before_test_epoch")
        self.runner.model.eval()
        self._answer(parts, protocol["group_by"])
        metrics = self._finish(protocol, parts)
        self.runner.call_hook("after_test_epoch", metrics=metrics)
        self.runner.call_hook("after_test")
        return metrics

    def _protocol(self) -> dict[str, Any]:
        """Made when the run begins: the model's config may have changed since the loop was built."""
        mixed = (self.runner.cfg.get("optim_wrapper") or {}).get("type") == "MixedPrecisionOptimWrapper"
        precision = "mixed" if mixed else str(next(self.runner.model.parameters()).dtype)
        metrics = self.evaluator.metrics
        return make_protocol(self.runner.cfg, self.dataloader.dataset, metrics, self.exact, self.device, precision)

    @torch.no_grad()
    def _answer(self, parts: PredictionParts, divisions: Sequence[str]) -> None:
        """Answer batch after batch, and keep the answers."""
        places = iter(self.dataloader.sampler.indices)
        for number, batch in enumerate(self.dataloader):
            self.runner.call_hook("before_test_iter", batch_idx=number, data_batch=batch)
            pieces = _singles(batch) if self.exact else [batch]
            samples = [sample for piece in pieces for sample in self.runner.model.test_step(piece)]
            records = [record_of(sample, divisions) for sample in samples]
            parts.append(get_rank(), [(next(places), record) for record in records])
            if number == 0:  # what a metric cannot judge is told now, not after the last answer
                for metric in self.evaluator.metrics:
                    metric.judgement(records[0])
            self.runner.call_hook("after_test_iter", batch_idx=number, data_batch=batch, outputs=samples)

    def _finish(self, protocol: dict[str, Any], parts: PredictionParts) -> dict[str, float]:
        """The scores, computed by the main process from the answers of all."""
        barrier()
        metrics: list[Any] = [None]
        if is_main_process():
            found = parts.read()
            records = [found[index] for index in range(len(self.dataloader.dataset))]
            metrics = [score_all(self.evaluator.metrics, records)]
            write_predictions(self.work_dir / "predictions.jsonl", self.evaluator.metrics[0].records)
            text = json.dumps(protocol, indent=1, ensure_ascii=False)
            (self.work_dir / "protocol.json").write_text(text + "\n", encoding="utf-8")
            parts.remove()
        broadcast_object_list(metrics)
        scores: dict[str, float] = metrics[0]
        return scores


class _Listed(Sampler[int]):
    """The indices that are left, in their order; ``run`` sets them."""

    def __init__(self, dataset: Sized, seed: int | None = None) -> None:
        self.indices: Sequence[int] = range(len(dataset))

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
    """Refuse, before hours of work, a benchmark of which files are missing."""
    if not hasattr(dataset, "verify"):
        return
    coverage = dataset.verify()
    if coverage.unanswerable:
        named = ", ".join(coverage.lacking[:5]) + (", ..." if len(coverage.lacking) > 5 else "")
        text = f"{type(dataset).__name__} in {dataset.source}: {coverage.words()} ({named})."
        if not all(metric.allow_missing for metric in metrics):
            raise ValueError(
                f"{text} tools/dataset_tools/verify_benchmark.py lists them all. No score is given of a part; "
                "--allow-missing asks for one all the same."
            )
        print_log(text, "current")
