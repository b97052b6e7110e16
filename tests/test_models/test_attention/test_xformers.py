"""The kernel for xFormers, which computes on GPUs alone: what it hands over is compared with the others anywhere.

Its bias classes say what they stand for (``materialize``). Here a plain ``memory_efficient_attention`` reads that: of
a stand-in with the semantics that xFormers documents, and of xFormers itself wherever it can be imported.
"""

import importlib
import importlib.util
import sys
from dataclasses import dataclass
from types import SimpleNamespace

import pytest
import torch

from elva.models.attention import eager, sdpa, xformers
from elva.models.attention.xformers import attend, why_not
from tests.test_models.test_attention.masks import MASKS, by_hand, gradients, inputs_for, make_inputs, real_queries

module = importlib.import_module("elva.models.attention.xformers")


class LowerTriangularMask:
    """A query sees the keys up to its own place."""

    def materialize(self, shape):
        return torch.full(shape, float("-inf")).triu(1)


@dataclass
class BlockDiagonalCausalMask:
    """Samples one after another in one row; a query sees the keys of its own sample up to its own place."""

    lengths: list[int]

    @classmethod
    def from_seqlens(cls, q_seqlen, *, device=None):
        return cls(q_seqlen)

    def materialize(self, shape):
        parts = [LowerTriangularMask().materialize((n, n)) for n in self.lengths]
        bias = torch.block_diag(*(part.exp() for part in parts)).log()
        return bias.expand(shape)


DOCUMENTED = SimpleNamespace(LowerTriangularMask=LowerTriangularMask, BlockDiagonalCausalMask=BlockDiagonalCausalMask)


def bias_classes():
    """Those of the stand-in, and of xFormers if it is installed (an import that fails then is a failure)."""
    yield "documented", DOCUMENTED
    if importlib.util.find_spec("xformers") is not None:
        from xformers.ops import fmha

        yield "installed", fmha.attn_bias


BIASES = dict(bias_classes())


class Plain:
    """A module ``fmha`` whose attention is written out, and takes notes."""

    def __init__(self, attn_bias):
        self.attn_bias = attn_bias
        self.calls = []

    def memory_efficient_attention(self, query, key, value, attn_bias=None, p=0.0, scale=None):
        assert query.shape[2] == key.shape[2] == value.shape[2], "heads are to be repeated"
        self.calls.append((query.shape, attn_bias))
        scores = torch.einsum("bqhd,bkhd->bhqk", query, key) * scale
        if isinstance(attn_bias, torch.Tensor):
            assert attn_bias.shape == scores.shape and attn_bias.stride(-2) % 8 == 0
            scores = scores + attn_bias
        elif attn_bias is not None:
            scores = scores + attn_bias.materialize(tuple(scores.shape))
        return torch.einsum("bhqk,bkhd->bqhd", scores.softmax(-1), value)


@pytest.mark.parametrize("biases", BIASES)
@pytest.mark.parametrize("kind", MASKS)
def test_what_is_handed_over_is_attention_under_the_mask(kind, biases):
    mask, fmha = MASKS[kind], Plain(BIASES[biases])
    out = attend(fmha, *inputs_for(mask), mask, 0.3)
    valid = real_queries(mask, out)
    torch.testing.assert_close(out[valid], by_hand(*inputs_for(mask), mask, 0.3)[valid], atol=1e-4, rtol=0)
    assert out.isfinite().all()


@pytest.mark.parametrize("kind", MASKS)
def test_gradients_pass_through(kind):
    got = gradients(lambda *args: attend(Plain(DOCUMENTED), *args), MASKS[kind])
    for a, b in zip(got, gradients(eager, MASKS[kind]), strict=True):
        torch.testing.assert_close(a, b, atol=1e-4, rtol=0)


@pytest.mark.parametrize("biases", BIASES)
@pytest.mark.parametrize(
    ("kind", "bias", "rows"),
    [
        ("causal", "LowerTriangularMask", (2, 7)),
        ("causal, sized", "LowerTriangularMask", (2, 7)),
        ("ragged causal", "BlockDiagonalCausalMask", (1, 11)),
        ("ragged causal, sized", "BlockDiagonalCausalMask", (1, 11)),
        ("step", "NoneType", (2, 1)),
        ("two-way in a frame", "Tensor", (2, 7)),
        ("window", "Tensor", (2, 7)),
        ("ragged step", "Tensor", (2, 1)),
    ],
)
def test_no_mask_tensor_is_built_where_a_class_says_it(kind, bias, rows, biases):
    """And of a ragged causal batch the padding is not computed at all."""
    mask, fmha = MASKS[kind], Plain(BIASES[biases])
    attend(fmha, *inputs_for(mask), mask, 0.3)
    ((shape, given),) = fmha.calls
    assert (type(given).__name__, tuple(shape[:2])) == (bias, rows)


def test_padding_of_a_ragged_causal_batch_is_zero():
    out = attend(Plain(DOCUMENTED), *make_inputs(), MASKS["ragged causal"], 0.3)
    assert (out[1, :, 4:] == 0).all()


def test_without_a_gpu_sdpa_does_it_and_the_log_says_so(monkeypatch):
    said = []
    monkeypatch.setattr(module, "say_once", said.append)
    got = xformers(*make_inputs(), MASKS["causal"], 0.3)
    assert torch.equal(got, sdpa(*make_inputs(), MASKS["causal"], 0.3))
    assert said == ["attention='xformers': it runs on GPUs alone, and this is cpu; 'sdpa' is used instead."]


def test_where_it_cannot_be_imported_the_reason_and_the_remedy_are_given(monkeypatch):
    monkeypatch.setitem(sys.modules, "xformers.ops", None)
    why_not.cache_clear()
    message = why_not()
    why_not.cache_clear()
    assert message.startswith("xFormers cannot be imported (")
    assert message.endswith("); pip install 'elva[xformers]'")
