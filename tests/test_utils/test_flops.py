import pytest
import torch

from elva.models.llms import HFDecoder
from elva.models.teachers import HOGTeacher
from elva.models.tokenizers import ElvaPatchEmbed, LinearPatchEmbed
from elva.structures import FramePlan, Kind, SequenceState, SourceMap
from elva.utils.flops import count_flops, decoder_flops, teacher_flops, tokenizer_flops, training_flops

SHAPE = {
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 101,
}


def decoder(model_type: str = "qwen2", **keys: int) -> HFDecoder:
    with torch.device("meta"):
        return HFDecoder(config={"model_type": model_type, **SHAPE, **keys})


def text_rows(length: int, width: int) -> SequenceState:
    with torch.device("meta"):
        row = torch.zeros(1, length, dtype=torch.long)
        valid = torch.ones(1, length, dtype=torch.bool)
        h = torch.zeros(1, length, width)
        return SequenceState(h, row, row, row.float(), row, row, row + Kind.TEXT, valid, SourceMap.identity(valid))


@pytest.mark.parametrize(("model_type", "keys"), [("qwen2", {}), ("llama", {}), ("qwen3", {"head_dim": 32})])
def test_decoder_flops_equal_pytorchs_count(model_type: str, keys: dict[str, int]):
    llm, length, logit_rows = decoder(model_type, **keys), 37, 5
    state = text_rows(length, llm.hidden_size)
    counted = count_flops(lambda: llm.logits(llm(state).h[:, :logit_rows]))
    assert sum(decoder_flops(llm, [length] * 3, logit_rows).values()) == counted


def test_decoder_flops_follow_the_formula_of_each_layer():
    llm, rows = decoder(), [10, 6, 2]
    parts = decoder_flops(llm, rows, logit_rows=1)
    projections = 2 * 64 * 64 + 2 * 64 * 32
    assert parts["attention"] == sum(2 * n * projections + 4 * n * n * 64 for n in rows)
    assert parts["mlp"] == sum(2 * n * 3 * 64 * 96 for n in rows)
    assert parts["head"] == 2 * 64 * 101


def test_the_papers_7b_model_needs_about_75_tflops_for_32_frames():
    shape = dict(hidden_size=3584, intermediate_size=18944, num_hidden_layers=28, num_attention_heads=28)
    llm = decoder(**shape, num_key_value_heads=4, vocab_size=152064)
    merged = [5024 if layer < 2 else 2512 if layer < 6 else 1256 for layer in range(28)]
    assert sum(decoder_flops(llm, [5024] * 28, 1).values()) == pytest.approx(75.7e12, rel=0.01)
    assert sum(decoder_flops(llm, merged, 1).values()) == pytest.approx(23.8e12, rel=0.02)


def test_decoder_flops_refuse_a_wrong_number_of_layers():
    with pytest.raises(ValueError, match="2 entries in rows_per_layer, but 3 layers"):
        decoder_flops(decoder(), [10, 10], 1)


def test_tokenizer_flops_count_patches_lines_and_frames():
    plan = FramePlan((0.0, 1.0, 2.0), ((32, 48), (32, 48), (16, 16)))
    patches, rows = 6 + 6 + 1, 13 + 5 + 3
    naive = LinearPatchEmbed(out_channels=64, embed_channels=32)
    linear = 2 * patches * 768 * 32 + 2 * rows * 32 * 64
    assert tokenizer_flops(naive, plan) == linear
    assert tokenizer_flops(ElvaPatchEmbed(out_channels=64, embed_channels=32, num_heads=4), plan) > linear
    assert not next(naive.parameters()).is_meta, "the tokenizer itself stays where it is"


def test_a_teacher_without_matrices_costs_nothing():
    assert teacher_flops(HOGTeacher(image_size=32), frames=4) == 0


def test_training_costs_three_forward_passes_and_more_with_checkpointing():
    forward = {"tokenizer": 1.0, "attention": 10.0, "mlp": 20.0, "head": 5.0}
    assert sum(training_flops(forward, recomputed=False).values()) == 3 * 36
    assert training_flops(forward, recomputed=True) == {"tokenizer": 3, "attention": 40, "mlp": 80, "head": 15}
    assert training_flops(forward, recomputed=False, frozen=["mlp"])["mlp"] == 40


def test_attention_on_the_cpu_is_counted_as_on_meta():
    def attend(device: str) -> float:
        x = torch.zeros(1, 2, 30, 8, device=device)
        return count_flops(torch.nn.functional.scaled_dot_product_attention, x, x, x)

    assert attend("cpu") == attend("meta") == 4 * 30 * 30 * 2 * 8
