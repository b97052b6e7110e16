import json
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from elva.utils.tiny_llm import SPECIAL_TOKENS, TinyLLMSettings, make_tiny_llm

SMALL = {"hidden": 16, "layers": 2, "heads": 2, "kv_heads": 1, "intermediate": 16, "vocab": 300}


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    talk = [{"from": "human", "value": "<video>\nHow many shapes are there?"}, {"from": "gpt", "value": "two shapes"}]
    path = tmp_path_factory.mktemp("texts") / "ann.jsonl"
    path.write_text(json.dumps({"id": "1", "video": "a.mp4", "conversations": talk}) + "\n")
    return path


def _files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_transformers_loads_it(texts: Path, tmp_path: Path) -> None:
    parameters = make_tiny_llm(tmp_path, [texts], TinyLLMSettings(**SMALL))
    model = AutoModelForCausalLM.from_pretrained(tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    assert model.num_parameters() == parameters
    assert model.config.vocab_size == len(tokenizer) <= 300
    assert model.config.tie_word_embeddings and model.lm_head.weight is model.model.embed_tokens.weight
    assert model.generation_config.eos_token_id == tokenizer.eos_token_id
    assert model(torch.tensor([[1, 2, 3]])).logits.shape == (1, 3, len(tokenizer))


def test_any_text_survives_and_learned_words_are_one_token(texts: Path, tmp_path: Path) -> None:
    make_tiny_llm(tmp_path, [texts], TinyLLMSettings(**SMALL))
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    text = "Größe 視頻 \n\t shapes"
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text
    assert len(tokenizer(" shapes")["input_ids"]) == 1
    assert "video" not in "".join(t for t in tokenizer.get_vocab() if t not in SPECIAL_TOKENS)


def test_special_tokens_and_chatml(texts: Path, tmp_path: Path) -> None:
    make_tiny_llm(tmp_path, [texts], TinyLLMSettings(**SMALL))
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    assert set(SPECIAL_TOKENS) <= set(tokenizer.all_special_tokens)
    assert (tokenizer.eos_token, tokenizer.pad_token, tokenizer.bos_token) == ("<|im_end|>", "<|endoftext|>", None)
    chat = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yes"}]
    assert tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True) == (
        "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nYes<|im_end|>\n<|im_start|>assistant\n"
    )


def test_a_seed_gives_the_same_files_and_leaves_the_global_one_alone(texts: Path, tmp_path: Path) -> None:
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        make_tiny_llm(tmp_path / name, [texts], TinyLLMSettings(**SMALL, seed=seed))
    assert torch.rand(1) == expected
    a, b, c = (_files(tmp_path / name) for name in "abc")
    assert a == b
    assert {name for name in a if a[name] != c[name]} == {"model.safetensors"}


def test_shards(texts: Path, tmp_path: Path) -> None:
    make_tiny_llm(tmp_path / "one", [texts], TinyLLMSettings(**SMALL))
    make_tiny_llm(tmp_path / "many", [texts], TinyLLMSettings(**SMALL, max_shard_size="10KB"))
    assert len(list((tmp_path / "many").glob("model-*.safetensors"))) > 1
    one, many = (AutoModelForCausalLM.from_pretrained(tmp_path / name).state_dict() for name in ("one", "many"))
    assert all(torch.equal(one[key], many[key]) for key in one)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"hidden": 18, "heads": 4}, "heads must divide hidden"),
        ({"heads": 3, "hidden": 12, "kv_heads": 2}, "kv_heads must divide heads"),
        ({"hidden": 6, "heads": 2, "kv_heads": 1}, "must be even"),
        ({"vocab": 100}, "vocab must be at least 262"),
    ],
)
def test_wrong_settings_are_refused(wrong: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TinyLLMSettings(**wrong)


def test_missing_texts_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere.json"):
        make_tiny_llm(tmp_path, [tmp_path / "nowhere.json"])
