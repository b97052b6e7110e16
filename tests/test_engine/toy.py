"""A model and data small enough to train in milliseconds, and the config that joins them with the default runtime."""

from itertools import count
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.evaluator import BaseMetric
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import Dataset

from elva.registry import DATASETS, METRICS, MODELS

ROOT = Path(__file__).parents[2]
_numbers = count()

# yapf, which formats a config for the log and for every checkpoint, would take most of a toy run's time
Config.pretty_text = property(lambda cfg: "\n".join(f"{k} = {v!r}" for k, v in cfg.to_dict().items()) + "\n")


class ToyMerger(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.ratio = 0.5


@MODELS.register_module()
class ToyModel(BaseModel):
    """A linear layer; remembers every loss, and in which dtype and with which merge ratio it was asked."""

    optional_prefixes = ("supervisors.",)
    new_prefixes = ("merger.",)

    def __init__(self, width: int = 4, supervised: bool = False, routed: bool = False) -> None:
        super().__init__()
        self.fc = nn.Linear(width, 1)
        self.merger = ToyMerger()
        if routed:
            self.merger.router = nn.Parameter(torch.zeros(width))
        if supervised:
            self.supervisors = nn.ModuleList([nn.Linear(width, 1)])
        self.losses: list[float] = []
        self.ratios: list[tuple[str, float]] = []
        self.dtypes: set[tuple[str, torch.dtype]] = set()

    def forward(self, inputs: list[torch.Tensor], data_samples: Any = None, mode: str = "tensor") -> Any:
        self.ratios.append((mode, self.merger.ratio))
        out = self.fc(torch.stack(inputs))
        self.dtypes.add((mode, out.dtype))
        if mode != "loss":
            return [{"value": float(v), "index": i} for v, i in zip(out[:, 0], data_samples, strict=True)]
        loss = (out.float() - 1).pow(2).mean()
        self.losses.append(loss.item())
        return {"loss_gen": loss, "rows/layer00": torch.tensor(5.0), "merge/share_layer02": torch.tensor(0.25)}


@DATASETS.register_module()
class ToyData(Dataset):
    """Sample ``i`` is drawn with seed ``i``; ``seen`` lists what was decoded in this process."""

    def __init__(self, n: int = 20, width: int = 4) -> None:
        self.n, self.width, self.skip_log = n, width, None
        self.seen: list[int] = []

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, index: int) -> dict[str, Any]:
        self.seen.append(index)
        generator = torch.Generator().manual_seed(index)
        return {"inputs": torch.randn(self.width, generator=generator), "data_samples": index}


@METRICS.register_module()
class ToyMetric(BaseMetric):
    """Mean of the predictions; keeps a record of each sample."""

    records: list[dict[str, Any]]

    def process(self, data_batch: Any, data_samples: Any) -> None:
        self.results.extend(data_samples)

    def compute_metrics(self, results: list[dict[str, Any]]) -> dict[str, float]:
        self.records = list(results)
        return {"mean": sum(r["value"] for r in results) / len(results)}


def loader(sampler: str, n: int = 20, **options: Any) -> dict[str, Any]:
    shuffle = sampler == "InfiniteSampler"
    return dict(
        dataset=dict(type="ToyData", n=n),
        batch_size=2,
        num_workers=0,
        sampler=dict(type=sampler, shuffle=shuffle),
        collate_fn=dict(type="pseudo_collate"),
        **options,
    )


def toy_config(work_dir: Path, max_iters: int = 12, **changes: Any) -> Config:
    """The default runtime around the toy; ``changes`` are merged in, ``a__b=...`` meaning ``a.b``."""
    cfg = Config.fromfile(ROOT / "configs/_base_/default_runtime.py")
    cfg.merge_from_dict(
        dict(
            custom_imports=dict(imports=["tests.test_engine.toy"], allow_failed_imports=False),
            work_dir=str(work_dir),
            experiment_name=f"toy{next(_numbers)}",  # runners of one name (and second) share their log history
            model=dict(type="ToyModel"),
            train_dataloader=loader("InfiniteSampler"),
            train_cfg=dict(type="ResumableIterLoop", max_iters=max_iters, val_interval=1000),
            optim_wrapper=dict(type="OptimWrapper", optimizer=dict(type="AdamW", lr=0.01)),
            param_scheduler=[dict(type="LinearLR", start_factor=0.1, by_epoch=False, end=max_iters)],
            val_dataloader=loader("DefaultSampler", n=6),
            val_cfg=dict(type="ValLoop"),
            val_evaluator=dict(type="ToyMetric"),
            test_dataloader=loader("DefaultSampler", n=6),
            test_cfg=dict(type="TestLoop"),
            test_evaluator=dict(type="ToyMetric"),
        )
    )
    cfg.visualizer, cfg.log_level = None, "WARNING"
    cfg.merge_from_dict({key.replace("__", "."): value for key, value in changes.items()})
    return cfg


def train(cfg: Config) -> Runner:
    """Train, and give back the runner."""
    runner = Runner.from_cfg(cfg)
    runner.train()
    return runner
