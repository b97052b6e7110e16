import json
import pickle
from pathlib import Path

import pytest

from elva.datasets.transforms import TokenizeConversation
from elva.utils.text_tokenizer import load_text_tokenizer
from elva.utils.tiny_llm import TinyLLMSettings, make_tiny_llm

VIDEO = "<|vision_start|><|video_pad|><|vision_end|>"
QWEN2_TEMPLATE = (
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}"
    "{{ '<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n' }}{% endif %}"
    "{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
TALK = [
    {"role": "user", "content": "<video>\nHow many shapes are there?"},
    {"role": "assistant", "content": "two"},
    {"role": "user", "content": "What colour, you think?  (One word.)"},
    {"role": "assistant", "content": "dark blue\n\nor green"},
]


def _make(folder: Path, template: str | None = None) -> str:
    talk = [{"from": "human", "value": "How many shapes are there?"}, {"from": "gpt", "value": "two blue"}]
    (folder / "ann.json").write_text(json.dumps([{"id": "1", "conversations": talk}]))
    make_tiny_llm(folder / "llm", [folder / "ann.json"], TinyLLMSettings(hidden=8, layers=1, heads=2, intermediate=8))
    if template is not None:
        (folder / "llm" / "chat_template.jinja").write_text(template)
    return str(folder / "llm")


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> str:
    return _make(tmp_path_factory.mktemp("chatml"))


@pytest.fixture(scope="module")
def qwen(tmp_path_factory: pytest.TempPathFactory) -> str:
    return _make(tmp_path_factory.mktemp("qwen"), QWEN2_TEMPLATE)


def _item(turns: list[dict[str, str]] = TALK) -> dict:
    return {"id": "s1", "videos": ["a.mp4"], "conversations": turns, "meta": {}}


def _whole(path: str, turns: list[dict[str, str]], reply: bool = False) -> str:
    """What transformers itself renders."""
    turns = [turn | {"content": turn["content"].replace("<video>", VIDEO)} for turn in turns]
    return load_text_tokenizer(path).apply_chat_template(turns, tokenize=False, add_generation_prompt=reply)


def _learned(path: str, results: dict) -> list[str]:
    """The stretches of text that the loss is on."""
    tokenizer, runs, last = load_text_tokenizer(path), [], -2
    for index, label in enumerate(results["labels"].tolist()):
        if label != -100:
            assert label == results["input_ids"][index]
            if index != last + 1:
                runs.append([])
            runs[-1].append(label)
            last = index
    return [tokenizer.decode(run) for run in runs]


@pytest.mark.parametrize("name", ["path", "qwen"])
@pytest.mark.parametrize("system", [[], [{"role": "system", "content": "Be brief."}]])
def test_training_equals_the_template_of_transformers(name: str, system: list, request) -> None:
    path = request.getfixturevalue(name)
    results = TokenizeConversation(path)(_item(system + TALK))
    tokenizer = load_text_tokenizer(path)
    assert results["input_ids"].tolist() == tokenizer(_whole(path, system + TALK))["input_ids"]
    assert _learned(path, results) == ["two<|im_end|>", "dark blue\n\nor green<|im_end|>"]
    assert results["question"] == TALK[2]["content"] and results["answer"] == "dark blue\n\nor green"


@pytest.mark.parametrize("name", ["path", "qwen"])
def test_testing_stops_where_the_model_goes_on(name: str, request) -> None:
    path = request.getfixturevalue(name)
    results = TokenizeConversation(path, mode="test")(_item())
    tokenizer = load_text_tokenizer(path)
    assert results["input_ids"].tolist() == tokenizer(_whole(path, TALK[:3], reply=True))["input_ids"]
    assert results["labels"] is None and results["answer"] == "dark blue\n\nor green"
    assert results["question"] == TALK[2]["content"]


def test_testing_needs_no_answer(path: str) -> None:
    with_answer = TokenizeConversation(path, mode="test")(_item(TALK[:2]))
    without = TokenizeConversation(path, mode="test")(_item(TALK[:1]))
    assert with_answer["input_ids"].tolist() == without["input_ids"].tolist()
    assert without["answer"] == "" and without["question"] == TALK[0]["content"]


def test_training_and_testing_share_the_prompt(path: str) -> None:
    train = TokenizeConversation(path)(_item(TALK[:2]))["input_ids"].tolist()
    test = TokenizeConversation(path, mode="test")(_item(TALK[:2]))["input_ids"].tolist()
    assert train[: len(test)] == test


@pytest.mark.parametrize("token", ["<|video_pad|>", "<|im_end|>\n<|im_start|>assistant\n", "<|endoftext|>"])
def test_special_tokens_in_what_is_said_stay_text(path: str, token: str) -> None:
    turns = [
        {"role": "user", "content": f"<video>\nHow {token}?"},
        {"role": "assistant", "content": f"two {token}"},
    ]
    results = TokenizeConversation(path)(_item(turns))
    clean = TokenizeConversation(path)(_item(TALK[:2]))
    special = set(load_text_tokenizer(path).all_special_ids)
    found = [[i for i in r["input_ids"].tolist() if i in special] for r in (results, clean)]
    assert found[0] == found[1]
    assert load_text_tokenizer(path).decode(results["input_ids"]).count(token) >= 2


def test_every_video_tag_becomes_three_ids(path: str) -> None:
    turns = [{"role": "user", "content": "<video> or <video>?"}, {"role": "assistant", "content": "two"}]
    ids = TokenizeConversation(path)(_item(turns))["input_ids"].tolist()
    names = load_text_tokenizer(path).convert_ids_to_tokens(ids)
    at = [i for i, name in enumerate(names) if name == "<|video_pad|>"]
    assert len(at) == 2
    assert all((names[i - 1], names[i + 1]) == ("<|vision_start|>", "<|vision_end|>") for i in at)


def test_a_tag_in_an_answer_is_text(path: str) -> None:
    turns = [*TALK[:1], {"role": "assistant", "content": "write <video>"}]
    results = TokenizeConversation(path)(_item(turns))
    assert _learned(path, results) == ["write <video><|im_end|>"]


def test_plain_is_the_video_then_the_caption(path: str) -> None:
    tokenizer = load_text_tokenizer(path)
    results = TokenizeConversation(path, template="plain")(_item(TALK[:2]))
    assert tokenizer.decode(results["input_ids"]) == f"{VIDEO}two<|im_end|>"
    assert _learned(path, results) == ["two<|im_end|>"]
    test = TokenizeConversation(path, template="plain", mode="test")(_item(TALK[:2]))
    assert tokenizer.decode(test["input_ids"]) == VIDEO
    assert test["answer"] == "two" and test["labels"] is None


def test_plain_takes_one_answer(path: str) -> None:
    with pytest.raises(ValueError, match="takes one answer a sample, got 2"):
        TokenizeConversation(path, template="plain")(_item())


def test_too_long_samples_are_refused_in_training_only(path: str) -> None:
    with pytest.raises(ValueError, match=r"sample 's1' has \d+ text tokens, max_length is 5"):
        TokenizeConversation(path, max_length=5)(_item())
    assert len(TokenizeConversation(path, max_length=5, mode="test")(_item())["input_ids"]) > 5


def test_templates_that_depend_on_the_words_are_rendered_whole(tmp_path: Path) -> None:
    shouting = QWEN2_TEMPLATE.replace(
        "message['content'] +", "(message['content'] | replace('x', 'y')) +"
    )  # spoils the marks, but not these turns
    path = _make(tmp_path, shouting)
    results = TokenizeConversation(path)(_item())
    assert results["input_ids"].tolist() == load_text_tokenizer(path)(_whole(path, TALK))["input_ids"]
    assert _learned(path, results) == ["two<|im_end|>", "dark blue\n\nor green<|im_end|>"]
    with pytest.raises(ValueError, match="changes the turns' text"):
        TokenizeConversation(path)(_item([TALK[0], {"role": "assistant", "content": "x"}]))


def test_no_template_is_explained(tmp_path: Path) -> None:
    path = _make(tmp_path)
    (Path(path) / "chat_template.jinja").unlink()
    with pytest.raises(ValueError, match="has no chat template"):
        TokenizeConversation(path)(_item())


def test_pickled_before_and_after_use(path: str) -> None:
    transform = TokenizeConversation(path)
    copies = [pickle.loads(pickle.dumps(transform))]
    expected = transform(_item())["input_ids"].tolist()
    copies.append(pickle.loads(pickle.dumps(transform)))
    assert all(copy(_item())["input_ids"].tolist() == expected for copy in copies)


def test_nothing_is_loaded_before_it_is_used() -> None:
    transform = TokenizeConversation("/no/such/tokenizer")
    with pytest.raises(FileNotFoundError, match="No text tokenizer at '/no/such/tokenizer'"):
        transform(_item())


@pytest.mark.parametrize("wrong", [{"template": "chatml"}, {"mode": "val"}])
def test_wrong_arguments_are_refused(wrong: dict) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(wrong))} must be"):
        TokenizeConversation("x", **wrong)


def test_without_vision_marks_a_video_is_its_placeholder_alone(path):
    with_marks, without = (
        TokenizeConversation(path, vision_marks=marks).transform(_item())["input_ids"].tolist()
        for marks in (True, False)
    )
    start, place, end = load_text_tokenizer(path).encode(VIDEO)
    assert place in without
    assert without == [i for i in with_marks if i not in (start, end)]
