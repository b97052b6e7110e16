import json
from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest

from elva.datasets import parse_sample
from elva.datasets.moving_shapes import SKILLS, Settings, make_moving_shapes
from elva.datasets.moving_shapes.annotate import questions, recaption, recaption_still, side_questions
from elva.datasets.moving_shapes.generate import _plan
from elva.datasets.moving_shapes.render import render
from elva.datasets.moving_shapes.scene import COLOURS, DIRECTIONS, KINDS, Labels, Scene, Shape, draw_scene
from elva.evaluation import chance

CLIPS = {"train": 24, "val": 10, "test": 20}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("moving_shapes")
    make_moving_shapes(out, CLIPS, workers=2)
    return out


def _scenes(number: int, ordered: bool) -> list[tuple[Scene, Labels]]:
    rng = np.random.default_rng(5)
    pick = lambda values: str(rng.choice(list(values)))  # noqa: E731
    scenes = []
    for i in range(number):
        count = 2 + i % 3 if ordered else 1 + i % 4
        labels = Labels(pick(COLOURS), pick(KINDS), pick(DIRECTIONS), count, ordered, bool(i % 2))
        scenes.append((draw_scene(labels, 48, 16, rng), labels))
    return scenes


def _samples(split: str, number: int, seed: int = 0) -> list[tuple[str, str, str]]:
    """(skill, question, answer) of a whole split, without rendering."""
    out = []
    for index, (labels, skill) in enumerate(_plan(split, number, Settings(seed=seed))):
        scene = draw_scene(labels, 48, 16, np.random.default_rng([seed, index]))
        asked = [q for q in questions(scene, labels) if not skill or q.skill == skill]
        asked += [] if skill else side_questions(scene)
        out += [(q.skill, q.text, q.answer) for q in asked]
    return out


def test_files_hold_the_promised_number_of_samples(data: Path) -> None:
    sizes = {path.name: len(json.loads(path.read_text())) for path in data.glob("*.json")}
    assert sizes["train_qa.json"] == sizes["train_caption.json"] == sizes["train_caption_original.json"] == 24
    assert sizes["val_qa.json"] == 10 and sizes["test_qa.json"] == 20
    assert sizes["train_image_caption.json"] == sizes["train_image_caption_original.json"] == 14


def test_every_annotation_is_valid_llava_and_its_file_exists(data: Path) -> None:
    for path in data.glob("*.json"):
        for sample in json.loads(path.read_text()):
            item = parse_sample(sample, str(data))
            assert Path(item["videos"][0]).is_file()
            assert item["conversations"][0]["content"].startswith("<video>\n")


def test_same_seed_same_bytes_whatever_the_workers(data: Path, tmp_path: Path) -> None:
    make_moving_shapes(tmp_path, CLIPS, workers=1)
    for path in data.rglob("*.*"):
        assert path.read_bytes() == (tmp_path / path.relative_to(data)).read_bytes(), path


def test_another_seed_gives_other_annotations(data: Path, tmp_path: Path) -> None:
    make_moving_shapes(tmp_path, {"test": 20}, Settings(seed=1))
    assert (tmp_path / "test_qa.json").read_bytes() != (data / "test_qa.json").read_bytes()


def test_clips_are_h264_of_the_set_length_and_size(tmp_path: Path) -> None:
    make_moving_shapes(tmp_path, {"val": 1}, Settings(size=64, frames=10, fps=5))
    with av.open(str(tmp_path / "videos/val/000000.mp4")) as container:
        stream = container.streams.video[0]
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]
        assert stream.codec.name == "h264" and stream.average_rate == 5
    assert np.shape(frames) == (10, 64, 64, 3)


def test_any_size_and_length(tmp_path: Path) -> None:
    counts = make_moving_shapes(tmp_path, {"train": 3}, Settings(seed=9, size=160, frames=40, fps=12.5, order_share=1))
    assert counts == {"train_caption.json": 3, "train_caption_original.json": 3, "train_qa.json": 3}
    with av.open(str(tmp_path / "videos/train/000002.mp4")) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
        assert float(container.streams.video[0].average_rate) == 12.5
    assert np.shape(frames) == (40, 160, 160, 3)


def test_encoding_keeps_colours_apart(tmp_path: Path) -> None:
    make_moving_shapes(tmp_path, {"val": 20})
    for sample in json.loads((tmp_path / "val_qa.json").read_text()):
        if sample["skill"] != "colour":
            continue
        with av.open(str(tmp_path / sample["video"])) as container:
            frame = next(container.decode(video=0)).to_ndarray(format="rgb24").astype(float)
        answer = np.array(COLOURS[sample["conversations"][1]["value"]])
        assert (np.abs(frame - answer).max(-1) < 40).sum() > 20  # pixels of the shape that moves


@pytest.mark.parametrize("split", ["val", "test", "train"])
def test_blind_guessing_is_at_chance(split: str) -> None:
    """Given the question's words, each answer is about equally frequent."""
    answers = defaultdict(Counter)
    for skill, text, answer in _samples(split, 600):
        if skill == "order":  # the two names differ from question to question: judge their places
            names = text.removesuffix(" one?").split("first, the ")[1].split(" or the ")
            answers[skill][names.index(answer)] += 1
        elif skill in ("direction", "shape"):
            answers[skill][answer] += 1
        else:
            answers[text][answer] += 1
    options = {"order": 2, "direction": 4, "What colour is the moving shape?": 6}
    assert len(answers) == 5
    for question, counts in answers.items():
        expected = counts.total() / options.get(question, 4)
        assert len(counts) == options.get(question, 4), question
        most = max(1, 0.1 * expected)
        assert max(abs(n - expected) for n in counts.values()) <= most, (question, counts)


def test_skills_share_the_test_split_evenly() -> None:
    skills = Counter(skill for skill, _, _ in _samples("test", 100))
    assert skills == dict.fromkeys(SKILLS, 20)


def test_chance_from_annotations(data: Path) -> None:
    expected = {"colour": 1 / 6, "shape": 0.25, "count": 0.25, "direction": 0.25, "order": 0.5}
    samples = json.loads((data / "test_qa.json").read_text())
    found = chance({"options": sample["options"], "groups": {"skill": sample["skill"]}} for sample in samples)
    by_skill = {f"skill/{skill}": value for skill, value in expected.items()}
    assert found == pytest.approx(by_skill | {"overall": np.mean(list(expected.values()))})


@pytest.mark.parametrize("ordered", [False, True])
def test_scenes_show_their_labels(ordered: bool) -> None:
    for scene, labels in _scenes(60, ordered):
        first = scene.movers[0]
        assert (first.colour, first.kind, first.direction) == (labels.colour, labels.kind, labels.direction)
        assert len(scene.shapes) == labels.count
        assert len({shape.colour for shape in scene.shapes}) == labels.count
        step = np.sign(first.centres(2)[1] - first.centres(2)[0]).astype(int)
        assert tuple(step) == DIRECTIONS[labels.direction]


def test_shapes_do_not_overlap_at_the_start_and_a_single_mover_stays_in_view() -> None:
    for scene, _ in _scenes(80, False):
        for i, a in enumerate(scene.shapes):
            for b in scene.shapes[:i]:
                assert np.hypot(*np.subtract(a.start, b.start)) > a.radius + b.radius
        track = scene.movers[0].centres(16)
        assert (track >= scene.movers[0].radius - 1e-6).all()
        assert (track <= 48 - scene.movers[0].radius + 1e-6).all()


def test_two_movers_enter_clearly_one_after_the_other() -> None:
    def first_seen(shape: Shape) -> int:
        centre = shape.centres(16)
        return int(np.argmax(((centre > -shape.radius) & (centre < 48 + shape.radius)).all(1)))

    for scene, _ in _scenes(80, True):
        first, second = scene.movers
        assert first_seen(second) - first_seen(first) >= 5
        inside = (second.centres(16)[-1] > 0) & (second.centres(16)[-1] < 48)
        assert inside.all()


def test_captions_follow_their_template() -> None:
    still = (Shape("blue", "square", 6, (10, 10)), Shape("green", "cross", 6, (40, 40)))
    red = Shape("red", "circle", 6, (20, 20), (-1, 0), "left")
    scene = Scene(still, (red,), 48, 16, 0)
    assert recaption(scene) == "Three shapes. A red circle moves left. A green cross and a blue square stand still."
    assert recaption_still(scene) == "Three shapes. A red circle, a green cross and a blue square."
    assert recaption(replace(scene, still=())) == "One shape. A red circle moves left."
    second = Shape("cyan", "triangle", 6, (-20, 20), (1, 0), "right")
    pair = replace(scene, still=still[:1], movers=(red, second))
    assert recaption(pair) == (
        "Three shapes. A red circle enters first and moves left. A cyan triangle enters second and moves right. "
        "A blue square stands still."
    )


def test_drawing_puts_the_shape_where_the_scene_says() -> None:
    for kind in KINDS:
        shape = Shape("red", kind, 7, (24, 24), (0.5, 0), "right")
        frames = render(Scene((), (shape,), 48, 16, 3)).astype(int)
        reddish = (frames[..., 0] - frames[..., 2]) > 90
        area = reddish.sum((1, 2))
        assert frames.shape == (16, 48, 48, 3) and (area > 60).all() and (area < 200).all()
        columns = [np.nonzero(frame)[1].mean() for frame in reddish]
        assert columns[-1] - columns[0] == pytest.approx(7.5, abs=0.7)


def test_triangles_point_up() -> None:
    frames = render(Scene((), (Shape("red", "triangle", 7, (24, 24), (0, 0.1), "down"),), 48, 4, 0)).astype(int)
    rows = (frames[0, ..., 0] - frames[0, ..., 2] > 90).sum(1)
    assert 0 < rows[20] < rows[24] < rows[29]


def test_noise_differs_from_frame_to_frame() -> None:
    frames = render(Scene((), (Shape("red", "circle", 6, (10, 10)),), 48, 4, 0))
    assert (frames[0] != frames[1]).mean() > 0.2


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"seed": -1}, "seed must not be negative"),
        ({"size": 47}, "size must be even"),
        ({"size": 16}, "at least 32"),
        ({"frames": 2}, "frames must be at least 4"),
        ({"fps": 0.0}, "fps must be positive"),
        ({"order_share": 1.5}, "order_share must lie in"),
    ],
)
def test_wrong_settings_are_refused(wrong: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Settings(**wrong)


def test_wrong_splits_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="unknown split 'trian'"):
        make_moving_shapes(tmp_path, {"trian": 1})
    with pytest.raises(ValueError, match="must not be negative"):
        make_moving_shapes(tmp_path, {"train": -1})
