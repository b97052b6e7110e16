"""One checkpoint, evaluated again and again with other mergers and reducers: accuracy, FLOPs and time to first token.

Legend: B samples, L layers.
"""

import itertools
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config

from elva.models.llms import HFDecoder, Trace
from elva.models.video_llm import VideoLLM
from elva.utils import launch
from elva.utils.flops import decoder_flops, tokenizer_flops

_NUMBER = itertools.count()


@dataclass(frozen=True)
class Evaluation:
    """What one evaluation found.

    Attributes:
        metrics: Of the config's evaluator, by name.
        rows: Mean rows of a sample that enter each layer, text included.
        flops: Of one prefill, tokenizer and all; the mean over the samples looked at.
        ttft: Seconds from frames in memory to the first token, of a single sample; the median.
    """

    metrics: dict[str, float]
    rows: tuple[float, ...]
    flops: float
    ttft: float


class Evaluator:
    """Holds a model with its weights and its test data, and exchanges what shortens the sequence.

    Args:
        cfg: A config with ``test_dataloader``, ``test_cfg`` and ``test_evaluator``; its model is a ``VideoLLM`` on an
            ``HFDecoder``.
        checkpoint: Of that model.
        probes: Samples, from the start of the test data, that cost is measured on. Default: 32.

    Raises:
        FileNotFoundError: If there is no such checkpoint.
        ValueError: If the config cannot test.
    """

    def __init__(self, cfg: Config, checkpoint: str | Path, probes: int = 32) -> None:
        if cfg.get("test_dataloader") is None:
            raise ValueError(f"{cfg.filename or 'the config'} has no test_dataloader: there is nothing to evaluate.")
        cfg.resume, cfg.load_from, cfg.strategy, cfg.launcher = False, str(checkpoint), None, "none"
        cfg.experiment_name = f"evaluation{next(_NUMBER)}"  # MMEngine wants another name for each runner of a second
        launch.set_resume(cfg, None)
        self.runner = launch.build_runner(cfg)
        self.runner.load_or_resume()
        self.model: VideoLLM = self.runner.model.eval()
        dataset = self.runner.test_loop.dataloader.dataset
        collate = self.runner.test_loop.dataloader.collate_fn
        self._probes = [collate([dataset[index]]) for index in range(min(probes, len(dataset)))]

    def exchange(self, merger: dict[str, Any] | None, reducers: Sequence[dict[str, Any]] = ()) -> None:
        """Put this merger and these reducers into the model; see ``VideoLLM.exchange``.

        Weights of their own start the same each time, whatever was exchanged before.
        """
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.model.exchange(merger, reducers)
        self.model.to(next(self.model.llm.parameters()).device).eval()
        self.runner.cfg.model.update(merger=merger, reducers=list(reducers))  # the protocol tells of them

    def run(self) -> Evaluation:
        """Test on all of the test data, and measure the cost on the probes."""
        metrics = {name: float(value) for name, value in self.runner.test().items()}
        rows, flops = self.cost()
        return Evaluation(metrics, rows, flops, self.time_to_first_token())

    @torch.no_grad()
    def cost(self) -> tuple[tuple[float, ...], float]:
        """Mean rows that enter each layer, and mean FLOPs of a prefill, over the probes."""
        llm = self.model.llm
        assert isinstance(llm, HFDecoder)
        rows_BL, flops = [], []
        seen: dict[Any, float] = {}
        for batch in self._probes:
            inputs = self._inputs(batch)
            for clip in inputs["clips"]:
                if clip.plan.sizes not in seen:
                    seen[clip.plan.sizes] = tokenizer_flops(self.model.tokenizer, clip.plan)
            trace = Trace()
            llm(self.model.assemble(inputs)[0].state, self.model.merger, trace=trace)
            rows = trace.tokens_per_layer()
            rows_BL.append(rows)
            flops.append(
                sum(seen[clip.plan.sizes] for clip in inputs["clips"])
                + sum(decoder_flops(llm, rows, logit_rows=1).values())
            )
        return tuple(torch.tensor(rows_BL).mean(0).tolist()), statistics.mean(flops)

    @torch.no_grad()
    def time_to_first_token(self, rounds: int = 3) -> float:
        """Seconds, the median over the probes, each run ``rounds`` times."""
        model, times = self.model, []
        for batch in self._probes * rounds:
            inputs = self._inputs(batch)
            start = self._now()
            state = model.assemble(inputs)[0].state
            out = model.llm(state, model.merger)
            model.llm.logits(out.h[torch.arange(len(out.h)), out.lengths - 1]).argmax(-1)
            times.append(self._now() - start)
        return statistics.median(times)

    def _inputs(self, batch: dict[str, Any]) -> dict[str, Any]:
        inputs: dict[str, Any] = self.model.data_preprocessor(batch, training=False)["inputs"]
        return inputs

    def _now(self) -> float:
        if next(self.model.parameters()).is_cuda:
            torch.cuda.synchronize()
        return time.perf_counter()
