import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from elva.models.llms import HFDecoder
from elva.models.llms.hf_load import TESTED
from elva.testing import make_prompt, tiny_decoder
from elva.testing.builders import SHAPES
from elva.testing.case import run

QWEN2 = {**SHAPES, "model_type": "qwen2", "num_hidden_layers": 2}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A checkpoint in several files, and the model that it came from."""
    path = tmp_path_factory.mktemp("sharded")
    torch.manual_seed(0)
    llm = HFDecoder(config=QWEN2).eval()
    llm.model.save_pretrained(path, max_shard_size="20KB")
    assert len(list(path.glob("*.safetensors"))) > 1
    return path, llm


def test_sharded_weights_are_loaded(folder):
    path, llm = folder
    loaded = HFDecoder(path=str(path)).eval()
    assert loaded.path == str(path)
    assert (loaded.hidden_size, loaded.depth) == (32, 2)
    for name, tensor in llm.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor), name


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_the_data_type_is_the_one_asked_for(folder, dtype):
    loaded = HFDecoder(path=str(folder[0]), dtype=dtype)
    assert {p.dtype for p in loaded.parameters()} == {getattr(torch, dtype)}


def test_on_the_meta_device_nothing_is_read_or_stored(tmp_path):
    config = {**QWEN2, "hidden_size": 8192, "intermediate_size": 32768, "num_hidden_layers": 3}
    with torch.device("meta"):
        llm = HFDecoder(path=str(tmp_path / "nowhere"), config=config)
    assert {p.device.type for p in llm.parameters()} == {"meta"}
    assert sum(p.numel() for p in llm.parameters()) > 2e9
    assert llm.depth == 3


def test_on_the_meta_device_the_config_of_the_path_serves_too(folder):
    with torch.device("meta"):
        llm = HFDecoder(path=str(folder[0]))
    assert (llm.hidden_size, llm.depth) == (32, 2)
    assert {p.device.type for p in llm.parameters()} == {"meta"}


def test_a_path_without_weights_is_named(tmp_path, folder):
    with pytest.raises(FileNotFoundError, match=r"llm.path='.*nowhere'.*make_tiny_llm"):
        HFDecoder(path=str(tmp_path / "nowhere"))
    AutoConfig.for_model("qwen2").save_pretrained(tmp_path / "bare")
    with pytest.raises(FileNotFoundError, match=r"llm.path='.*bare'"):
        HFDecoder(path=str(tmp_path / "bare"))
    with torch.device("meta"), pytest.raises(FileNotFoundError, match=r"llm.path='.*nowhere'.*Give llm.config"):
        HFDecoder(path=str(tmp_path / "nowhere"))


def test_neither_path_nor_config_is_refused():
    with pytest.raises(ValueError, match="HFDecoder needs 'path'"):
        HFDecoder()
    with pytest.raises(ValueError, match="llm.config has no 'model_type'"):
        HFDecoder(config={"hidden_size": 8})


def test_a_misspelt_key_of_the_config_is_refused():
    with pytest.raises(ValueError, match="no key 'hiden_size' for model_type='qwen2': did you mean 'hidden_size'"):
        HFDecoder(config={**QWEN2, "hiden_size": 32})


@pytest.mark.parametrize(
    ("family", "reason"),
    [
        ("gpt2", "they have the parts"),
        ("gemma2", "they have the parts"),
        ("phi3", "they have the parts"),
        ("olmo2", "they have the parts"),
        ("granite", "they have the parts"),
        ("nanochat", "transformers' own forward pass gives other numbers"),
        ("gpt_oss", "they need more than they are given"),
    ],
)
def test_a_family_whose_layers_cannot_be_split_is_refused(family, reason):
    config = tiny_config(family)
    with pytest.raises(ValueError, match=rf"'{family}' model cannot be run one by one: {reason}.*qwen2, qwen3"):
        HFDecoder(config=config)


@pytest.mark.parametrize("family", ["qwen2_moe", "mixtral", "smollm3", "helium", "starcoder2"])
def test_other_families_of_that_layout_are_compared_and_accepted(family):
    """Experts in the place of the MLP, layers without rotation, biases: the loop does not have to know."""
    assert family not in TESTED
    torch.manual_seed(0)
    llm = HFDecoder(config=tiny_config(family)).eval()
    assert llm.model.config._attn_implementation == "elva"
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(**tiny_config(family))).eval()
    model.load_state_dict(llm.model.state_dict())
    prompt = make_prompt(llm, [(12,), (5,)])
    got = llm.logits(run(llm, prompt.state, None)[0].h)
    with torch.no_grad():
        for b, length in enumerate((12, 5)):
            expected = model(prompt.ids[b : b + 1, :length]).logits[0]
            torch.testing.assert_close(got[b, :length], expected, atol=1e-5, rtol=0)


def test_the_comparison_leaves_the_training_mode_as_it_was():
    assert HFDecoder(config=tiny_config("smollm3")).training


@pytest.mark.parametrize("family", TESTED)
def test_the_tested_families_have_what_the_loop_needs(family):
    assert tiny_decoder(family=family).model.config.model_type == family


def tiny_config(family: str) -> dict:
    """A small shape in the family's own words."""
    wanted = {
        **SHAPES,
        "num_hidden_layers": 2,
        "head_dim": 8,
        "num_experts": 4,
        "num_local_experts": 4,
        "num_experts_per_tok": 2,
        "moe_intermediate_size": 16,
        "shared_expert_intermediate_size": 16,
        "pad_token_id": 0,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "n_embd": 32,
        "n_head": 4,
        "n_layer": 2,
    }
    known = AutoConfig.for_model(family)
    return {"model_type": family, **{key: value for key, value in wanted.items() if hasattr(known, key)}}
