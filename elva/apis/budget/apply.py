"""A budget put into a config, before the runner is built."""

import copy
from pathlib import Path
from typing import Any

from mmengine.config import Config

from elva.apis.cost import CostModel
from elva.apis.cost.drawn import CHANNELS
from elva.apis.cost.sample import load_video
from elva.apis.cost.survey import survey
from elva.registry import MERGERS, register_all_modules
from elva.utils.flops import decoder_flops

from .budget import Budget
from .calibration import Calibration
from .plan import BudgetPlan, Search, Spend

_MANY = 1000
"""Rows and layers: enough for the sites of any merger."""

CERTAIN = -1.0
"""As ``tau``: every pair of rows is alike enough, so that the share to merge is always met."""


def apply_budget(cfg: Config, budget: str | Budget, calibration: str | Path | None = None) -> BudgetPlan:
    """Let ``cfg`` test within a budget: the sampler and resolution of its videos and the merge ratio are replaced.

    The metadata of all test videos is read, and the longest question counts; a shorter question, a video of another
    aspect or with fewer frames costs less. Where the data is not there, a nominal clip stands for it. A merger that
    aims at a share of the rows, and lets a threshold ``tau`` hold it back, has it taken away: what it leaves is then
    known beforehand. A merger or reducer that decides by content is counted as if it did nothing: the budget is kept,
    but not used up.

    Args:
        cfg: A config with a ``test_dataloader``; changed in place.
        budget: As ``'6TFLOPs'``, ``'500ms'`` or ``'2048tokens'``.
        calibration: For milliseconds, the JSON file of measured times. Default: one in the user's cache folder.

    Returns:
        The plan that was chosen.

    Raises:
        ValueError: If the budget cannot be read, or is less than the least that the config can do.
    """
    register_all_modules()
    budget = Budget.parse(budget) if isinstance(budget, str) else budget
    if cfg.get("test_dataloader") is None:
        raise ValueError(
            f"{cfg.filename or 'The config'} has no test_dataloader: there is nothing to keep a budget in."
        )
    if is_held_back(cfg.model.get("merger")):
        cfg.model.merger["tau"] = CERTAIN
    cost, load = CostModel(cfg), load_video(cfg)
    sources = survey(cfg.test_dataloader.dataset, limit=None)
    clips = [clip for source in sources for clip in source.clips if clip]
    text = max(shape.text for source in sources for shape in source.shapes)
    spend = _spend(cfg, budget, calibration)
    plan = Search(cost, copy.deepcopy(load), clips, text, budget, spend, known_beforehand(cost)).best()
    load["sampler"], load["resolution"] = plan.load["sampler"], plan.load["resolution"]
    if plan.level.ratio is not None:
        cfg.model.merger["ratio"] = plan.level.ratio
    return plan


def is_held_back(config: dict[str, Any] | None) -> bool:
    """Whether a threshold may keep a merger of this config from the share of the rows that it aims at."""
    if not config:
        return False
    merger = MERGERS.build_with(config, in_channels=CHANNELS)
    return getattr(merger, "tau", 2.0) <= 1 and merger.schedule(_MANY, _MANY) is not None


def known_beforehand(cost: CostModel) -> dict[str, bool]:
    """What of a model's savings can be promised: keys of ``CostModel.of``."""
    merger = cost.model.merger
    return {
        "merged": merger is None or merger.schedule(100, cost.llm.depth) is not None,
        "reduced": not any(reducer.adaptive for reducer in cost.model.reducers),
    }


def _spend(cfg: Config, budget: Budget, calibration: str | Path | None) -> Spend:
    if budget.kind == "tokens":
        return lambda cost: float(cost.rows[0])
    if budget.kind == "FLOPs":
        return lambda cost: cost.total
    measured = Calibration.of(cfg, calibration)
    return lambda cost: measured.milliseconds(cost.total)


def realised(plan: BudgetPlan, records: list[dict[str, Any]]) -> dict[str, float]:
    """What samples have spent, by the rows that each layer was given (and the tokenizer's part of the costliest).

    Args:
        plan: That they were tested with.
        records: Of the test's metric; their ``tokens`` count.

    Returns:
        ``'budget/mean'`` and ``'budget/most'``, in tokens or FLOPs (of milliseconds nothing is known afterwards).
    """
    rows = [record["tokens"] for record in records if record.get("tokens")]
    if not rows or plan.budget.kind == "ms":
        return {}
    before = sum(plan.cost.flops.get(part, 0.0) for part in ("tokenizer", "reducers"))
    tokens = plan.budget.kind == "tokens"
    spent = [each[0] if tokens else before + sum(decoder_flops(plan.model.llm, each, 1).values()) for each in rows]
    return {"budget/mean": sum(spent) / len(spent), "budget/most": max(spent)}
