"""The real lmms-eval with a tiny model of random weights, offline, on clips that are rendered here."""

import inspect
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("lmms_eval", reason="docs/lmms_eval.md says how lmms-eval is installed beside ELVA")
os.environ.setdefault("HF_HUB_OFFLINE", "1")  # before the first import of a Hugging Face library

from lmms_eval.api.instance import Instance
from lmms_eval.evaluator import simple_evaluate
from lmms_eval.models import get_model
from lmms_eval.tasks import TaskManager

from elva.apis.inferencer import VideoInferencer
from elva.apis.question_item import question_item
from tests.test_integrations.test_lmms_eval.local_task import make_tasks
from tests.test_tools.tiny_recipe import make_data, random_checkpoint, stage

LIMIT = 4


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("lmms_eval")
    make_data(root)
    (root / "pretrained").mkdir()
    config = Path(stage("elva_tiny_stage3", root))
    random_checkpoint(str(config), root / "pretrained" / "iter_10.pth", scale=3)
    config.rename(root / "pretrained" / config.name)
    return root


@pytest.fixture(scope="module")
def docs(root):
    return make_tasks(root / "task", root / "data")


@pytest.fixture(scope="module")
def tasks(root, docs):
    return TaskManager(include_path=str(root / "task"), include_defaults=False)


@pytest.fixture(scope="module")
def inferencer(root):
    return VideoInferencer(pretrained=root / "pretrained", device="cpu", max_new_tokens=6)


@pytest.fixture
def model(root, docs):
    """The simple form, asked by hand."""
    made = get_model("elva", force_simple=True).create_from_arg_string(f"pretrained={root / 'pretrained'}")
    made.task_dict = {"shapes": {"test": docs}}
    return made


def evaluate(root, tasks, names, **settings):
    found = simple_evaluate(
        model="elva",
        model_args=f"pretrained={root / 'pretrained'}",
        tasks=names,
        task_manager=tasks,
        limit=LIMIT,
        log_samples=True,
        **settings,
    )
    return found["results"], {name: found["samples"][name] for name in names}


def answers(samples):
    return [sample["filtered_resps"][0] for sample in sorted(samples, key=lambda sample: sample["doc_id"])]


def request(doc_id, context="Why?", repeats=1, visual=None, **kwargs):
    arguments = (context, kwargs, visual or (lambda doc: [doc["video"]]), doc_id, "shapes", "test")
    metadata = {"task": "shapes", "doc_id": doc_id, "repeats": repeats}
    return Instance("generate_until", arguments, 0, metadata)


def texts(results):
    return [result.text for result in results]


@pytest.mark.parametrize("simple", [False, True])
def test_tasks_are_answered_as_the_inferencer_answers(root, docs, tasks, inferencer, simple):
    names = ["shapes", "shapes_image"]
    results, samples = evaluate(root, tasks, names, force_simple=simple, batch_size=1)
    for name, media in zip(names, ("video", "image"), strict=True):
        expected = inferencer([(doc[media], doc["question"].strip()) for doc in docs[:LIMIT]])
        assert answers(samples[name]) == expected
        assert len(set(expected)) > 1
        right = sum(text == doc["answer"] for text, doc in zip(expected, docs[:LIMIT], strict=True))
        assert results[name]["exact_match,none"] == right / LIMIT
    assert samples["shapes"][0]["token_counts"][0]["input_tokens"] > 0


def test_options_are_chosen_by_our_own_losses(root, docs, tasks, inferencer):
    results, samples = evaluate(root, tasks, ["shapes_choice"], force_simple=True, batch_size=1)
    right = 0
    for doc, sample in zip(docs[:LIMIT], samples["shapes_choice"], strict=True):
        scores = inferencer.score(question_item(doc["video"], doc["question"].strip()), doc["options"])
        losses = [-score.log_probability / score.tokens for score in scores]
        given = [(float(loss), greedy == "True") for loss, greedy in sample["filtered_resps"]]
        assert [loss for loss, _ in given] == pytest.approx(losses)
        assert [greedy for _, greedy in given] == [score.greedy for score in scores]
        right += losses.index(min(losses)) == doc["correct"]
    assert results["shapes_choice"]["acc,none"] == right / LIMIT


def test_the_command_in_two_processes_gives_the_same_answers(root, docs, tmp_path):
    command = [
        sys.executable,
        "-m",
        "accelerate.commands.launch",
        "--cpu",
        "--num_processes",
        "2",
        "--num_machines",
        "1",
    ]
    command += ["--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", "0"]
    command += ["-m", "lmms_eval", "--model", "elva", "--tasks", "shapes", "--include_path", str(root / "task")]
    command += ["--model_args", f"pretrained={root / 'pretrained'},frames=4,frame_rule=lmms-eval,max_new_tokens=99"]
    command += ["--batch_size", "1", "--limit", "3", "--output_path", str(tmp_path), "--log_samples"]
    command += ["--force_simple"]
    done = subprocess.run(command, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    files = list(tmp_path.rglob("*_samples_shapes.jsonl"))
    assert files, done.stdout + done.stderr  # its exit status is 0 also where it failed
    rows = [json.loads(line) for line in files[0].read_text().splitlines()]
    four = VideoInferencer(pretrained=root / "pretrained", device="cpu", frames=4, max_new_tokens=6)
    expected = four([(doc["video"], doc["question"].strip()) for doc in docs[:3]])
    assert len(set(expected)) > 1
    assert {row["doc_id"]: row["filtered_resps"] for row in rows} == dict(enumerate(expected))


def test_answers_come_in_the_order_of_the_requests_whatever_their_kwargs(model, docs, inferencer):
    asked = [request(number, max_new_tokens=1 + number % 3) for number in range(4)]
    expected = [inferencer.ask(docs[n]["video"], "Why?", max_new_tokens=1 + n % 3) for n in range(4)]
    assert texts(model.generate_until(asked)) == expected


def test_an_answer_is_cut_where_the_task_says(model):
    whole = model.generate_until([request(0, max_new_tokens=6)])[0].text
    stop = whole[3]
    cut = model.generate_until([request(0, max_new_tokens=6, until=["never", stop])])[0].text
    assert cut == whole[: whole.index(stop)] != whole


def test_repeats_of_a_sampled_answer_differ_and_can_be_repeated(model):
    one = request(0, max_new_tokens=6, temperature=5.0)
    first = texts(model.generate_until([one] * 4))
    assert len(set(first)) > 1
    assert texts(model.generate_until([one] * 4)) == first


def test_what_only_evens_out_the_processes_is_not_answered(model):
    padding = request(0)
    padding.metadata["__padding_only__"] = True
    results = model.generate_until([request(0, max_new_tokens=2), padding])
    assert results[0].text and not results[1].text


def test_one_unreadable_video_is_an_empty_answer_and_two_stop_the_run(model):
    def gone(doc):
        return ["gone.mp4"]

    results = model.generate_until([request(0, visual=gone), request(1, max_new_tokens=2)])
    assert not results[0].text and results[1].text
    with pytest.raises(ValueError, match=r"2 of 3 documents cannot be used(.|\n)*shapes-1-0: .*gone\.mp4"):
        model.generate_until([request(0, visual=gone), request(1, visual=gone), request(2)])


def test_images_that_were_written_are_gone_with_the_answer(model, docs):
    from PIL import Image

    def still(doc):
        return [Image.open(doc["image"])]

    assert model.generate_until([request(0, visual=still, max_new_tokens=2)])[0].text
    assert list(Path(model.media.folder).iterdir()) == []
    folder = model.media.folder
    model.clean()
    assert not folder.exists() and not hasattr(model, "inferencer")


def test_a_likelihood_without_a_question_and_of_a_documents_own_target(model, docs, inferencer):
    metadata = {"task": "shapes", "doc_id": 0, "repeats": 1}
    alone = Instance("loglikelihood", ("", " red"), 0, metadata)
    target = (lambda doc: doc["answer"], lambda doc: [doc["video"]], 0, "shapes", "test")
    of_doc = Instance("loglikelihood", ("Why?", *target), 0, metadata)
    results = model.loglikelihood([alone, of_doc])
    scores = [
        inferencer.score(question_item([], ""), ["red"])[0],
        inferencer.score(question_item(docs[0]["video"], "Why?"), [docs[0]["answer"]])[0],
    ]
    for result, score in zip(results, scores, strict=True):
        assert result.text == (pytest.approx(-score.log_probability / score.tokens), score.greedy)


def test_what_elva_cannot_do_is_said(model, root):
    with pytest.raises(
        NotImplementedError, match=r"one question at a time; it cannot run multi-round tasks \(shapes\)"
    ):
        model.generate_until_multi_round([request(0)])
    kind = get_model("elva")
    with pytest.raises(ValueError, match="ElvaChat has no argument 'framse'. Did you mean 'frames'"):
        kind.create_from_arg_string("pretrained=x,framse=4")
    with pytest.raises(ValueError, match="--batch_size auto: give a number"):
        kind.create_from_arg_string("pretrained=x", {"batch_size": "auto"})
    with pytest.raises(FileNotFoundError, match="There is no folder nowhere"):
        kind.create_from_arg_string("pretrained=nowhere")


def test_options_of_the_config_can_be_given_as_json(root):
    arguments = f'pretrained={root / "pretrained"},cfg_options={{"model.generation.max_new_tokens":3}}'
    assert get_model("elva").create_from_arg_string(arguments).inferencer.sampling.max_new_tokens == 3


def test_the_pages_command_and_table_are_of_this_model(root, tmp_path, monkeypatch):
    page = (Path(__file__).parents[3] / "docs" / "lmms_eval.md").read_text(encoding="utf-8")
    command = re.search(r"```bash\n(python -m lmms_eval.*?)```", page, re.DOTALL)[1]
    words = shlex.split(command.replace("\\\n", ""))
    (tmp_path / "work_dirs/demo").mkdir(parents=True)
    (tmp_path / "work_dirs/demo/stage3").symlink_to(root / "pretrained")
    monkeypatch.chdir(tmp_path)
    made = get_model("elva").create_from_arg_string(words[words.index("--model_args") + 1])
    assert made.inferencer.sampling.max_new_tokens == 64
    rows = re.findall(r"^\| (`.+?`) \|", page, re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert named == set(inspect.signature(type(made)).parameters) - {"batch_size", "max_batch_size", "device"}
