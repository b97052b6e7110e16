"""What the samples of a data loader look like, without decoding a frame."""

import statistics
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from elva.datasets.readers.base import VideoReadError
from elva.registry import DATASETS, TRANSFORMS
from elva.structures import VideoMeta

from .sample import NOMINAL_CLIP, SampleShape, leaves, plan_of

NOMINAL_TEXT = 256
"""Text tokens of a sample to train on of a data set that is not there."""

NOMINAL_QUESTION = 64
"""Those of a sample to test on: a question in a chat template."""

CHARACTERS_A_TOKEN = 4
"""Of English, in a vocabulary of the usual size; used where the text tokenizer is not there."""


@dataclass(frozen=True)
class Source:
    """One data set of a (mixed) training set.

    Attributes:
        name: Of its annotation file.
        shapes: Of samples spread evenly over it, or a nominal one.
        clips: The metadata of the videos of each of these samples; empty without ``LoadVideo``.
        samples: How many it has; None where it is not there.
        share: Of the samples of a step.
        clip_basis: Where the clips' sizes come from, in words.
        text_basis: Where the length of the text comes from, in words.
        missing: What is not there, or cannot be read, in words.
    """

    name: str
    shapes: tuple[SampleShape, ...]
    clips: tuple[tuple[VideoMeta, ...], ...]
    samples: int | None
    share: float
    clip_basis: str
    text_basis: str
    missing: tuple[str, ...] = ()

    def mean(self, key: str) -> float:
        """Mean of a number of the shapes: ``'frames'``, ``'text'`` or ``'labelled'``."""
        if key == "frames":
            return statistics.fmean(sum(len(plan) for plan in shape.plans) for shape in self.shapes)
        return statistics.fmean(getattr(shape, key) for shape in self.shapes)


def survey(dataset: dict[str, Any], limit: int | None = 32) -> list[Source]:
    """The sources of a data set's config.

    Args:
        dataset: Config of a data set, or of a mixture (named ``datasets``, each with ``dataset`` and ``weight``).
        limit: Samples to look at in each source, None for all; their files' metadata is read.
    """
    parts = list(leaves(dataset))
    sources = [_look(leaf, limit) for leaf, _ in parts]
    weights = [weight or source.samples for (_, weight), source in zip(parts, sources, strict=True)]
    known = [weight for weight in weights if weight is not None]
    if len(known) < len(weights):  # a size that nobody knows: equal parts
        known = [1.0] * len(weights)
    return [replace(source, share=weight / sum(known)) for source, weight in zip(sources, known, strict=True)]


def _look(dataset: dict[str, Any], limit: int | None) -> Source:
    steps = {step["type"]: step for step in dataset.get("pipeline", ())}
    load = TRANSFORMS.build(steps["LoadVideo"]) if "LoadVideo" in steps else None
    items, samples, missing = _items(dataset, limit)
    clips, clip_basis, unread = _clips(load, items)
    texts, text_basis = _texts(steps.get("TokenizeConversation", {}), items)
    plans = [tuple(plan_of(load, meta) for meta in metas) for metas in clips]
    shapes = tuple(SampleShape(p, *t) for p, t in zip(plans, texts, strict=True))
    name = Path(str(dataset.get("ann_file", dataset["type"]))).name
    return Source(name, shapes, tuple(clips), samples, 1.0, clip_basis, text_basis, (*missing, *unread))


def _items(dataset: dict[str, Any], limit: int | None) -> tuple[list[dict[str, Any]], int | None, list[str]]:
    """Raw items spread over a data set, its length, and what is missing."""
    try:
        built = DATASETS.build({**dataset, "pipeline": []} if "pipeline" in dataset else dataset)
    except (FileNotFoundError, ValueError) as error:
        return [], None, [str(error)]
    if not hasattr(built, "raw"):  # asking it for a sample might decode a video
        return [], len(built), []
    chosen = range(0, len(built), max(1, len(built) // (limit or len(built))))[:limit]
    items, broken = [], []
    for index in chosen:
        try:
            items.append(built.raw(index))
        except ValueError as error:
            broken.append(str(error))
    wrong = f"{len(broken)} of {len(chosen)} samples cannot be used, the first because: {broken[0]}" if broken else ""
    return items, len(built), [wrong] if wrong else []


def _meta(load: Any, path: str) -> VideoMeta:
    with load.open(path) as video:
        meta: VideoMeta = video.meta
        return meta


def _clips(load: Any, items: list[dict[str, Any]]) -> tuple[list[tuple[VideoMeta, ...]], str, list[str]]:
    """The metadata of each item's videos; of one nominal clip where no file can be read."""
    if load is None:
        return [()] * max(1, len(items)), "no video", []
    clips, unread = [], []
    for item in items:
        try:
            clips.append(tuple(_meta(load, path) for path in item["videos"]))
        except VideoReadError as error:
            clips.append((NOMINAL_CLIP,))
            unread.append(str(error))
    words = f"a nominal clip of {NOMINAL_CLIP.width}x{NOMINAL_CLIP.height}, {NOMINAL_CLIP.duration:.0f} s"
    if len(unread) == len(items):
        gone = [f"none of {len(items)} videos looked at can be read, the first because: {unread[0]}"] if items else []
        return clips or [(NOMINAL_CLIP,)], words, gone
    gone = [f"{len(unread)} of {len(items)} videos cannot be read, the first because: {unread[0]}"] if unread else []
    return clips, f"the metadata of {len(items) - len(unread)} of its samples", gone


def _texts(tokenize: dict[str, Any], items: list[dict[str, Any]]) -> tuple[list[tuple[int, int]], str]:
    """Text ids and labelled ids of each item; nominal where there is no item."""
    chat, test = tokenize.get("template", "chat") == "chat", tokenize.get("mode", "train") == "test"
    if not items:
        text = NOMINAL_QUESTION if test else NOMINAL_TEXT
        labelled = 1 if test else NOMINAL_TEXT // 2 if chat else NOMINAL_TEXT
        return [(text, labelled)], f"nominally {text} tokens"
    if tokenize and Path(tokenize["path"]).is_dir():
        transform = TRANSFORMS.build(tokenize)
        done = [transform.transform(item) for item in items]
        counts = [(len(x["input_ids"]), 1 if test else int((x["labels"] >= 0).sum())) for x in done]
        return counts, f"counted in {len(items)} of its samples"
    lengths = []
    for item in items:
        said = dict.fromkeys(("system", "user", "assistant"), 0)
        for turn in item["conversations"]:
            said[turn["role"]] += len(turn["content"]) // CHARACTERS_A_TOKEN + 1
        lengths.append((sum(said.values()), 1 if test else said["assistant"]))
    return lengths, f"{CHARACTERS_A_TOKEN} characters a token, over {len(items)} of its samples"
