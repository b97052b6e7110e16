"""Writes the MovingShapes data set: H.264 clips, still images, and LLaVA-style annotations of each split."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from multiprocessing import Pool
from pathlib import Path
from typing import Any

import numpy as np

from . import annotate
from .render import render, write_image, write_video
from .scene import COLOURS, DIRECTIONS, KINDS, Labels, draw_scene

SPLITS = ("train", "val", "test")
VIDEO_PROMPT = "Describe the video."
IMAGE_PROMPT = "Describe the image."


@dataclass(frozen=True)
class Settings:
    """How the clips of a data set look.

    Attributes:
        seed: Another seed gives other clips; the same one the same annotations, byte by byte, and the same pixels.
        size: Height and width in pixels; even, at least 32.
        frames: Length of a clip, at least 4.
        fps: Frames per second.
        order_share: Share of the training clips in which two shapes enter one after the other.
        crf: x264's constant quality; lower is better.
    """

    seed: int = 0
    size: int = 48
    frames: int = 16
    fps: float = 8.0
    order_share: float = 0.4
    crf: int = 16

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise ValueError(f"MovingShapes: seed must not be negative, got {self.seed}")
        if self.size < 32 or self.size % 2:
            raise ValueError(f"MovingShapes: size must be even and at least 32 pixels, got {self.size}")
        if self.frames < 4:
            raise ValueError(f"MovingShapes: frames must be at least 4, got {self.frames}")
        if self.fps <= 0:
            raise ValueError(f"MovingShapes: fps must be positive, got {self.fps}")
        if not 0 <= self.order_share <= 1:
            raise ValueError(f"MovingShapes: order_share must lie in [0, 1], got {self.order_share}")


def make_moving_shapes(
    out: str | Path,
    clips: dict[str, int],
    settings: Settings | None = None,
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, int]:
    """Write the data set into the folder ``out``.

    Args:
        out: Made where it does not exist. Gets ``videos/``, ``images/`` and the annotation files.
        clips: How many for each split (``train``, ``val``, ``test``).
        settings: How the clips look. Default: ``Settings()``.
        workers: Processes that render; the result does not depend on it.
        progress: Called with (clips done, clips in all) after each batch of clips.

    Returns:
        Samples in each annotation file, by its name.

    Raises:
        ValueError: If a split is unknown or its number of clips is negative.
    """
    settings = settings or Settings()
    _check(clips)
    out = Path(out)
    jobs = [(split, i, *plan) for split in clips for i, plan in enumerate(_plan(split, clips[split], settings))]
    for split in clips:
        (out / "videos" / split).mkdir(parents=True, exist_ok=True)
    (out / "images" / "train").mkdir(parents=True, exist_ok=True)
    records = _run(partial(_make_clip, out=out, settings=settings), jobs, workers, progress)
    counts = {}
    for name in sorted({name for record in records for name in record}):
        samples = [record[name] for record in records if name in record]
        (out / name).write_text(json.dumps(samples, indent=1) + "\n", encoding="utf-8")
        counts[name] = len(samples)
    return counts


def _check(clips: dict[str, int]) -> None:
    for split, number in clips.items():
        if split not in SPLITS:
            raise ValueError(f"MovingShapes: unknown split '{split}'; the splits are {', '.join(SPLITS)}")
        if number < 0:
            raise ValueError(f"MovingShapes: the number of {split} clips must not be negative, got {number}")


def _run(
    function: Callable[[tuple], dict[str, Any]],
    jobs: Sequence[tuple],
    workers: int,
    progress: Callable[[int, int], None] | None,
) -> list[dict[str, Any]]:
    """Map ``function`` over ``jobs``, in order; one worker needs no other process."""
    records = []
    with ExitStack() as stack:
        mapped: Iterator[dict[str, Any]] = map(function, jobs)
        if workers > 1:
            mapped = stack.enter_context(Pool(workers)).imap(function, jobs, chunksize=16)
        for record in mapped:
            records.append(record)
            if progress:
                progress(len(records), len(jobs))
    return records


def _plan(split: str, number: int, settings: Settings) -> list[tuple[Labels, str]]:
    """Labels of each clip of a split and the skill that it is asked for (``''``: all that it answers)."""
    rng = np.random.default_rng([settings.seed, SPLITS.index(split)])
    if split == "train":
        ordered = round(number * settings.order_share)
        plans = _labels(number - ordered, False, "", rng) + _labels(ordered, True, "", rng)
    else:
        plans = []
        for index, skill in enumerate(annotate.SKILLS):
            share = len(range(index, number, len(annotate.SKILLS)))
            plans += _labels(share, skill == "order", skill, rng)
    return [plans[i] for i in rng.permutation(number)]


def _labels(number: int, ordered: bool, skill: str, rng: np.random.Generator) -> list[tuple[Labels, str]]:
    """``number`` labels; each attribute on its own takes each of its values equally often."""

    def even(values: Sequence[Any]) -> list[Any]:
        return [values[i % len(values)] for i in rng.permutation(number)]

    columns = (
        even(tuple(COLOURS)),
        even(KINDS),
        even(tuple(DIRECTIONS)),
        even((2, 3, 4) if ordered else (1, 2, 3, 4)),
        even((True, False)),
    )
    return [(Labels(*row[:4], ordered, row[4]), skill) for row in zip(*columns, strict=True)]


def _make_clip(job: tuple[str, int, Labels, str], out: Path, settings: Settings) -> dict[str, Any]:
    """Render one clip; return its sample of each annotation file, by the file's name."""
    split, index, labels, skill = job
    rng = np.random.default_rng([settings.seed, SPLITS.index(split), index])
    scene = draw_scene(labels, settings.size, settings.frames, rng)
    frames = render(scene)
    video = f"videos/{split}/{index:06d}.mp4"
    write_video(frames, out / video, settings.fps, settings.crf)
    base = {"id": f"{split}-{index:06d}", "video": video}
    asked = annotate.questions(scene, labels)
    if skill:
        return {f"{split}_qa.json": base | annotate.qa_sample([q for q in asked if q.skill == skill])}
    asked += annotate.side_questions(scene)
    asked = [asked[i] for i in rng.permutation(len(asked))]
    original = annotate.original_caption(scene, rng)
    samples = {
        "train_qa.json": base | annotate.qa_sample(asked),
        "train_caption.json": base | _caption("<video>", VIDEO_PROMPT, annotate.recaption(scene)),
        "train_caption_original.json": base | _caption("<video>", VIDEO_PROMPT, original),
    }
    if not labels.ordered:  # shapes that enter are not all in one frame
        image = f"images/{split}/{index:06d}.png"
        write_image(frames[scene.clearest_frame()], out / image)
        base = {"id": f"{split}-image-{index:06d}", "image": image}
        samples["train_image_caption.json"] = base | _caption("<image>", IMAGE_PROMPT, annotate.recaption_still(scene))
        samples["train_image_caption_original.json"] = base | _caption("<image>", IMAGE_PROMPT, original)
    return samples


def _caption(tag: str, prompt: str, caption: str) -> dict[str, Any]:
    return {"conversations": annotate.conversation(tag, [(prompt, caption)])}
