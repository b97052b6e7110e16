"""What is shown of a sample is what the pipeline gives."""

import base64
import io
import json
import re

import numpy as np
import pytest
import torch
from PIL import Image
from rich.console import Console

from elva.datasets import VideoTextDataset
from elva.registry import TOKENIZERS, register_all_modules
from elva.utils.text_tokenizer import VIDEO_PAD, load_text_tokenizer
from elva.utils.tiny_llm import TinyLLMSettings, make_tiny_llm
from elva.visualization.browse_figure import frames_figure
from elva.visualization.browse_page import write_browse_page
from elva.visualization.browse_sample import evenly, view_sample
from elva.visualization.browse_terminal import print_samples
from tests.clips import BROKEN, RECIPES, number, render
from tests.test_apis.test_check_dataset.data import LOAD, row, write_rows

HYBRID = {
    **LOAD,
    "sampler": {"type": "UniformSampler", "num_frames": 6},
    "resolution": {"type": "HybridResolution", "base": LOAD["resolution"], "group": 2},
}
ELVA = {"type": "ElvaPatchEmbed", "patch_size": 12, "tubelet": 1, "embed_channels": 16, "num_heads": 2}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Two clips, a broken one, and a text tokenizer."""
    register_all_modules()
    root = tmp_path_factory.mktemp("browse")
    for name in ("h264.mp4", "vp9.webm"):
        render(root / name, RECIPES[name])
    BROKEN["cut.mp4"](root / "cut.mp4")
    (root / "texts.json").write_text(json.dumps([row("a")]))
    make_tiny_llm(root / "llm", [root / "texts.json"], TinyLLMSettings(hidden=16, layers=2, heads=2, intermediate=16))
    rows = [
        row("two", ["h264.mp4", "vp9.webm"], "<video> or <video>?", "Größer 🎬 <b>!"),
        row("bad", "cut.mp4"),
        {"id": "text", "conversations": row("x", question="And?")["conversations"]},
    ]
    write_rows(root / "a.jsonl", rows)
    return root


def dataset(root, load=LOAD, **tokenize) -> VideoTextDataset:
    text = {"type": "TokenizeConversation", "path": str(root / "llm"), **tokenize}
    mode = tokenize.get("mode", "train")
    return VideoTextDataset(str(root / "a.jsonl"), str(root), [load, text, {"type": "PackSample"}], mode=mode)


def embed(**settings):
    with torch.device("meta"):
        return TOKENIZERS.build({**ELVA, "out_channels": 16, **settings})


def test_frames_times_and_sizes_are_those_of_the_pipeline(root):
    data = dataset(root, HYBRID)
    view, sample = view_sample(data, 0, embed())
    for shown, clip in zip(view.videos, sample["inputs"]["clips"], strict=True):
        assert shown.seconds == clip.plan.seconds
        assert [frame.shape[:2] for frame in shown.frames] == list(clip.plan.sizes)
        assert len({frame.shape for frame in shown.frames}) == 2
        for size, frames in clip.plan.groups().items():
            pixels = clip.pixels[list(clip.plan.groups()).index(size)]
            for place, frame in enumerate(frames):
                assert np.array_equal(shown.frames[frame], pixels[place].permute(1, 2, 0).numpy())
    full = [frame for frame in view.videos[0].frames if frame.shape[:2] == (48, 48)]
    assert len(full) == 3 and len({number(frame) for frame in full}) == 3


@pytest.mark.parametrize(("settings", "load"), [({}, HYBRID), ({"tubelet": 2}, LOAD), ({"tubelet": 2}, HYBRID)])
def test_tokens_of_the_frames_add_up(root, settings, load):
    tokenizer = embed(**settings)
    view, sample = view_sample(dataset(root, load), 0, tokenizer)
    for shown, clip in zip(view.videos, sample["inputs"]["clips"], strict=True):
        assert shown.made == shown.entering == tokenizer.count(clip.plan) == sum(unit.tokens for unit in shown.units)
        assert [frame for unit in shown.units for frame in unit.frames] == list(range(len(clip.plan)))
    assert view.rows == view.text_rows + sum(shown.made for shown in view.videos)


def test_text_is_complete_and_what_is_learned_is_marked(root):
    view, sample = view_sample(dataset(root), 0)
    ids, labels = sample["inputs"]["input_ids"].tolist(), sample["inputs"]["labels"].tolist()
    assert [i for piece in view.pieces for i in piece.ids] == ids
    assert [piece.learned for piece in view.pieces for _ in piece.ids] == [label >= 0 for label in labels]
    assert [piece.video for piece in view.pieces if piece.video is not None] == [0, 1]
    assert "".join(piece.text for piece in view.pieces) == load_text_tokenizer(str(root / "llm")).decode(ids)
    assert "".join(piece.text for piece in view.pieces if piece.learned) == "Größer 🎬 <b>!<|im_end|>"
    assert "🎬" in [piece.text for piece in view.pieces], "bytes of one character stay together"
    assert view.text_rows == len(ids) - 2
    assert (view.rows, view.learned) == (None, sum(label >= 0 for label in labels))


def test_a_question_of_a_test_shows_its_reference(root):
    view, _ = view_sample(dataset(root, mode="test"), 0)
    assert view.answer == "Größer 🎬 <b>!"
    assert view.learned == 0 and "Größer" not in "".join(piece.text for piece in view.pieces)


def test_reducers_leave_fewer(root):
    view, _ = view_sample(dataset(root), 0, embed(), lambda plan: 5)
    assert view.videos[0].words() == f"4 frames, {view.videos[0].made} tokens, 5 of them left by the reducers"
    assert view.rows == view.text_rows + 10


def test_samples_without_video_and_bad_ones_are_shown_as_what_they_are(root, tmp_path):
    bad, nothing = view_sample(dataset(root), 1)
    text, _ = view_sample(dataset(root), 2, embed())
    assert nothing is None
    assert "its last frame ends at byte" in bad.error and bad.where.endswith("line 2")
    assert (text.videos, text.rows) == ((), text.text_rows)
    write_browse_page(tmp_path / "p.html", "Samples", [bad, text])
    assert "cannot be used: " in (tmp_path / "p.html").read_text()


def said(*views, ids: bool = False, colours: bool = False) -> str:
    out = io.StringIO()
    console = Console(file=out, width=200, force_terminal=colours, color_system="standard" if colours else None)
    print_samples(list(views), ids, console)
    return out.getvalue()


def test_the_terminal_shows_text_frames_and_tokens(root):
    view, _ = view_sample(dataset(root, HYBRID), 0, embed())
    plain = said(view)
    assert f"[video: {view.videos[1].words()}]" in plain
    assert "Größer 🎬 <b>!" in plain and VIDEO_PAD not in plain
    assert plain.count("48 x 48") == plain.count("24 x 24") == 6
    assert f"video 1: {root / 'vp9.webm'}: {view.videos[1].words()}" in plain
    assert f"({view.pieces[0].ids[0]})" in said(view, ids=True)


def test_colours_tell_what_is_learned(root):
    view, _ = view_sample(dataset(root), 0)
    coloured = said(view, colours=True)
    spans = re.findall(r"\x1b\[1;3[26]m(.*?)\x1b\[0m", coloured)
    assert "".join(spans[:-1]).endswith("Größer 🎬 <b>!<|im_end|>")
    assert "<|im_start|>" not in "".join(spans)


def test_the_page_holds_every_frame_as_it_is(root, tmp_path):
    view, _ = view_sample(dataset(root, HYBRID), 0, embed())
    write_browse_page(tmp_path / "p.html", "Samples", [view], {0: [frames_figure(view)]}, "a note")
    page = (tmp_path / "p.html").read_text()
    pictures = [base64.b64decode(data) for data in re.findall(r'<img width[^>]*base64,([^"]+)"', page)]
    frames = [frame for video in view.videos for frame in video.frames]
    assert len(pictures) == len(frames) == 12
    for data, frame in zip(pictures, frames, strict=True):
        assert np.array_equal(np.array(Image.open(io.BytesIO(data))), frame)
    assert "<b>" not in page and "a note" in page
    assert not re.findall(r'(?:src|href)="(?!data:)', page)
    learned = re.findall(r'<span class="learned[^>]*>([^<]*)</span>', page)
    assert "".join(learned) == "Größer 🎬 &lt;b&gt;!&lt;|im_end|&gt;"
    assert "What merging leaves of it." in page


def test_a_figure_has_a_picture_for_each_frame(root):
    view, _ = view_sample(dataset(root), 0)
    figure = frames_figure(view)
    assert sum(len(ax.images) for ax in figure.axes) == 8


@pytest.mark.parametrize(
    ("length", "number", "expected"), [(10, 3, [0, 4, 9]), (2, 5, [0, 1]), (1, 1, [0]), (100, 1, [0])]
)
def test_places_are_spread_evenly(length, number, expected):
    assert evenly(length, number) == expected
