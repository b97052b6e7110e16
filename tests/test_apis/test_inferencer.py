import json
import shutil

import pytest
from mmengine.config import Config

from elva.apis.evaluation import Evaluator
from elva.apis.inferencer import VideoInferencer
from elva.apis.question_item import question_item
from elva.registry import INFERENCERS
from elva.utils import launch
from tests.test_tools.tiny_recipe import make_data, random_checkpoint, stage


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    root = tmp_path_factory.mktemp("inferencer")
    make_data(root, clips=3)
    config = stage("elva_tiny_stage3", root)
    return root, config, random_checkpoint(config, root / "random.pth", scale=3)


@pytest.fixture(scope="module")
def questions(recipe):
    root = recipe[0] / "data"
    rows = json.loads((root / "test_qa.json").read_text())[:6]
    return [(root / row["video"], row["conversations"][0]["value"]) for row in rows]


@pytest.fixture(scope="module")
def inferencer(recipe):
    return VideoInferencer(recipe[1], recipe[2], device="cpu")


def test_answers_are_those_of_the_test_runner(recipe, questions, inferencer, tmp_path):
    cfg = launch.read_config(recipe[1])
    cfg.work_dir = str(tmp_path)
    cfg.test_dataloader.batch_size = 1
    runner = Evaluator(cfg, recipe[2], probes=1).runner
    runner.test()
    expected = [record["raw"] for record in launch.records(runner)][: len(questions)]
    assert len(set(expected)) > 1
    assert inferencer(questions) == expected
    assert inferencer.ask(*questions[0]) == expected[0]


def test_a_work_dir_is_enough_and_workers_and_batches_keep_the_order(recipe, questions, inferencer, tmp_path):
    _, config, checkpoint = recipe
    shutil.copy(config, tmp_path / "config.py")
    shutil.copy(checkpoint, tmp_path / "iter_1.pth")
    (tmp_path / "last_checkpoint").write_text(str(tmp_path / "iter_1.pth"))
    settings = dict(
        pretrained=str(tmp_path), device="cpu", batch_size=4, workers=1, cfg_options={"optim_wrapper": None}
    )
    model = INFERENCERS.build(dict(type="VideoInferencer", **settings))
    alone = VideoInferencer(config, checkpoint, device="cpu", cfg_options={"optim_wrapper": None})
    texts = model(questions, max_new_tokens=2)
    assert texts == [alone.ask(*question, max_new_tokens=2) for question in questions]
    assert len(set(texts)) > 1


def test_several_videos_and_images_and_text_alone(recipe, inferencer):
    video, image = recipe[0] / "data/videos/test/000000.mp4", min((recipe[0] / "data/images").rglob("*.png"))
    both = inferencer.answer([question_item([video, image], "Is <image> in <video>?"), question_item([], "Why?")])
    first, second = both
    assert [len(plan.seconds) for plan in first.plans] == [8, 1]
    assert isinstance(first.prediction, str) and isinstance(second.prediction, str)
    assert first.question == "Is <video> in <video>?" and second.plans == ()


def test_generation_can_be_changed_for_all_questions_or_for_some(recipe, questions):
    model = VideoInferencer(recipe[1], recipe[2], device="cpu", max_new_tokens=3)
    count = len(model.model.text_tokenizer.encode(model.ask(*questions[0]), add_special_tokens=False))
    assert count <= 3 < Config.fromfile(recipe[1]).model.generation.max_new_tokens
    longer = model.ask(*questions[0], max_new_tokens=8)
    assert longer.startswith(model.ask(*questions[0]))
    seeds = {model.ask(*questions[0], temperature=5.0, seed=seed) for seed in range(4)}
    assert len(seeds) > 1
    assert model.sampling.temperature == 0
    with pytest.raises(ValueError, match="no argument 'max_token'. Did you mean 'max_new_tokens'"):
        model.ask(*questions[0], max_token=3)


def test_frames_are_chosen_by_number_and_rule(recipe, questions):
    def seconds(**settings):
        model = VideoInferencer(recipe[1], device="cpu", **settings)
        return next(model.answer([question_item(questions[0][0], "Why?")])).plans[0].seconds

    ends = seconds(frames=4)
    assert len(ends) == 4 and ends == seconds(frames=4, frame_rule="lmms-eval")
    assert ends[0] == 0 and ends[-1] > seconds(frames=4, frame_rule="segment-centres")[-1]
    assert len(seconds(frame_rule="vlmevalkit")) == 8
    with pytest.raises(ValueError, match="no frame rule 'lmms'; there are: lmms-eval"):
        seconds(frame_rule="lmms")


def test_a_part_of_a_video_may_be_asked_about(inferencer, questions):
    item = question_item(questions[0][0], "Why?") | {"bounds": [(0.5, 1.0)]}
    seconds = next(inferencer.answer([item])).plans[0].seconds
    assert seconds[0] > 0.4 and seconds[-1] <= 1.0


def test_an_unreadable_video_is_an_error_for_who_asks_and_a_note_for_who_asks_many(inferencer, questions, tmp_path):
    with pytest.raises(ValueError, match=r"question 1 \('Why\?'\): .*gone\.mp4"):
        inferencer([questions[0], (tmp_path / "gone.mp4", "Why?")])
    bad, good = inferencer.answer([question_item(tmp_path / "gone.mp4", "Why?"), question_item(*questions[0])])
    assert bad.prediction is None and "gone.mp4" in bad.stats["error"] and bad.id == "0"
    assert good.prediction == inferencer.ask(*questions[0])
    with pytest.raises(ValueError, match="has 2 <image>/<video> tags, but 1 videos"):
        inferencer.ask(questions[0][0], "<video> and <video>?")


def test_what_cannot_be_built_is_said(recipe):
    with pytest.raises(ValueError, match="or pretrained=... alone"):
        VideoInferencer(recipe[1], pretrained="work_dirs/demo/stage3")
    with pytest.raises(ValueError, match="or pretrained=... alone"):
        VideoInferencer()
    with pytest.raises(ValueError, match="no argument 'temprature'. Did you mean 'temperature'"):
        VideoInferencer(recipe[1], temprature=1.0)
    with pytest.raises(ValueError, match=r"batch_size=0 \(at least 1\)"):
        VideoInferencer(recipe[1], batch_size=0)
    with pytest.raises(ValueError, match=r"has no test_dataloader: .*stage 3"):
        VideoInferencer(stage("elva_tiny_stage2", recipe[0]))
