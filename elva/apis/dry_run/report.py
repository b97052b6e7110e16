"""The report of a dry run, in plain text."""

import statistics

from mmengine.config import Config
from torch import nn

from elva.apis.cost import SampleShape
from elva.registry import register_all_modules
from elva.utils.memory_estimate import cache_bytes
from elva.utils.report_text import amount, gibibytes, spans, table, with_notes, wrapped

from .missing import missing_devices, missing_weights
from .plan import RunPlan

Row = tuple[str, ...]


def dry_run(cfg: Config) -> str:
    """Say what training with ``cfg`` will need; no weight is read and no frame decoded.

    The model is built on the meta device. Of the data, annotations and the metadata of a few videos are read, where
    they are there.

    Args:
        cfg: A config of a training run.

    Returns:
        A report in plain text.
    """
    register_all_modules()
    plan = RunPlan(cfg)
    sections = {
        f"Dry run of {cfg.filename or 'a config'}": "  No weight was read, and no frame was decoded.",
        "Parameters": _parameters(plan),
        f"Training data, {plan.batch} samples a step on each device": _data(plan),
        "Rows that enter each layer, one sample": _rows(plan),
        "Floating-point operations": _flops(plan),
        "Memory on each device, estimated": _memory(plan),
        "Missing": _missing(plan),
    }
    return "\n".join(f"{title}\n{text}\n" for title, text in sections.items())


def _parameters(plan: RunPlan) -> str:
    config, model = plan.llm.model.config, plan.cfg.model
    shape = f"{model.llm.type}: {config.model_type}, {plan.llm.depth} layers of width {config.hidden_size}"
    supervisors = ", ".join(supervisor.type for supervisor in model.get("supervisors") or ())
    rows = [
        ("part", "component", "parameters", "trained"),
        ("tokenizer", model.tokenizer.type, *_counted(plan.model.tokenizer)),
        ("llm", shape, *_counted(plan.llm)),
        ("merger", (model.get("merger") or {}).get("type", "none"), *_counted(plan.model.merger)),
        ("supervisors", supervisors or "none", *_counted(plan.model.supervisors)),
        ("teacher", (model.get("teacher") or {}).get("type", "none"), *_counted(plan.teacher_weights)),
        ("all", "", *_counted(plan.model, plan.teacher_weights)),
    ]
    return table(rows, align="<<>>")


def _data(plan: RunPlan) -> str:
    rows: list[Row] = [("source", "samples", "share", "frames", "visual tokens", "text tokens", "learned")]
    for source in plan.sources:
        visual = statistics.fmean(plan.counted(shape).tokens for shape in source.shapes)
        numbers = (source.mean("frames"), visual, source.mean("text"), source.mean("labelled"))
        known = "not here" if source.samples is None else f"{source.samples:,}"
        rows.append((source.name, known, f"{source.share:.0%}", *(f"{number:,.0f}" for number in numbers)))
    bases: dict[str, list[str]] = {}
    for source in plan.sources:
        bases.setdefault(f"sizes of frames: {source.clip_basis}; text: {source.text_basis}.", []).append(source.name)
    notes = [f"{', '.join(names)}: {basis}" for basis, names in bases.items()]
    if len(plan.sources) > 1 and any(source.samples is None for source in plan.sources):
        notes.append("Shares follow the config's weights; where it has none, they are equal until the data is there.")
    return with_notes(rows, notes, align="<>>>>>>")


def _rows(plan: RunPlan) -> str:
    rows: list[Row] = [("source", "merge ratio", "layer: rows")]
    ratios = [ratio for ratio in plan.ratios if ratio != 0] if plan.model.merger is not None else []
    for source in plan.sources:
        rows.append((source.name, "no merging", spans(plan.mean_rows(source, merged=False))))
        for ratio in ratios:
            rows.append(("", "merged" if ratio is None else f"{ratio:.0%}", spans(plan.mean_rows(source, ratio))))
    notes = []
    if plan.model.merger is not None:
        known = plan.model.merger.schedule(1000, plan.llm.depth) is not None
        notes.append("Merged rows: what the merger reaches where successive frames are alike.")
        notes += [] if known else ["How much this merger merges depends on the content; without merging is the most."]
    if len(plan.ratios) > 1:
        notes.append("The ratio is drawn anew at each training step; testing has that of model.merger.")
    if plan.cfg.model.get("reducers"):
        notes.append("Rows are those that the reducers leave of the visual tokens above.")
    return with_notes(rows, notes, align="<><")


def _flops(plan: RunPlan) -> str:
    plain, merged = plan.mean_flops(merged=False), plan.mean_flops()
    columns = [plain, merged, plan.step_flops(merged)]
    if plan.model.teacher is not None:
        once = plan.teacher_flops()
        columns = [c | {"teacher": n * once} for c, n in zip(columns, (1, 1, plan.batch), strict=True)]
    rows: list[Row] = [("part", "one sample, no merging", "one sample, merged", f"training step of {plan.batch}")]
    rows += [(part, *(amount(column[part], "FLOPs") for column in columns)) for part in columns[0]]
    rows.append(("all", *(amount(sum(column.values()), "FLOPs") for column in columns)))
    again = ", the layers' one more (gradient checkpointing)" if plan.recomputed else ""
    notes = [f"A training step, on one device: three times the forward pass{again}; padding is not counted."]
    return with_notes(rows, [*notes, *_answers(plan)])


def _answers(plan: RunPlan) -> list[str]:
    """What an answer costs before its first token, for the longest clip looked at of each data set."""
    lines = []
    for source in plan.test or plan.sources:
        longest = max(source.shapes, key=lambda shape: plan.counted(shape).tokens)
        shape = SampleShape(longest.plans, longest.text, labelled=1)
        rows, plain = plan.rows(shape), plan.rows(shape, merged=False)
        spent, most = (amount(sum(plan.cost.flops(shape, n).values()), "FLOPs") for n in (rows, plain))
        cache = cache_bytes(plan.llm, rows, 2 if plan.low else plan.llm.model.dtype.itemsize)
        frames = sum(len(video) for video in shape.plans)
        seen = f"{frames} frame{'s' if frames != 1 else ''}, {plan.counted(shape).tokens:,} visual tokens"
        lines.append(
            f"The prefill of an answer about {seen} ({source.name}): "
            f"{spent}, without merging {most}; its key/value cache: {gibibytes(cache)}."
        )
    return lines


def _memory(plan: RunPlan) -> str:
    count = plan.devices.count
    columns = {"whole": plan.memory(1)} | ({f"divided over {count}": plan.memory(count)} if count > 1 else {})
    configured = list(columns)[-1 if plan.sharded else 0]
    rows: list[Row] = [("part", *(f"{name} (as configured)" if name == configured else name for name in columns))]
    for part in (part for part, size in columns["whole"].items() if size):
        rows.append((part, *(gibibytes(column[part]) for column in columns.values())))
    rows.append(("all", *(gibibytes(sum(column.values())) for column in columns.values())))
    notes = [
        f"{plan.cfg.optim_wrapper.optimizer.type}; {'with' if plan.recomputed else 'without'} gradient checkpointing; "
        f"{plan.batch} samples as long as the longest looked at, merged least; logits of the learned rows alone.",
        "Not counted: the tokenizer's activations, the teacher's working memory, the allocator's fragments.",
    ]
    if count > 1:
        notes.append(f"The number of devices is from {plan.devices.known_from}; 'divided' is by FSDP.")
    return with_notes(rows, notes)


def _missing(plan: RunPlan) -> str:
    found = list(missing_weights(plan.cfg))
    found += [f"data: {what}" for source in (*plan.sources, *plan.test) for what in source.missing]
    needed = sum(plan.memory(plan.devices.count if plan.sharded else 1).values())
    found += missing_devices(plan.devices, needed)
    return "\n".join(wrapped(line, "- ") for line in dict.fromkeys(found)) or "  Nothing: training can start."


def _counted(*modules: nn.Module | None) -> tuple[str, str]:
    """Parameters, and how many of them are trained."""
    each = [p for module in modules if module is not None for p in module.parameters()]
    total, trained = sum(p.numel() for p in each), sum(p.numel() for p in each if p.requires_grad)
    words = "-" if not total else "no" if not trained else "all" if trained == total else amount(trained, billion="B")
    return amount(total, billion="B"), words
