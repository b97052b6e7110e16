import pytest
import torch
from safetensors.torch import load_file, save_file

from elva.models.llms import KVCache
from elva.models.llms.cache import LayerCache
from elva.models.llms.cached_rows import ROW_FIELDS
from elva.models.mergers import HierarchicalTemporalMerger
from elva.testing import make_prompt, tiny_decoder
from elva.testing.builders import more_text
from elva.testing.case import SAMPLES

MERGER = HierarchicalTemporalMerger(layers=(1, 2))


@pytest.fixture
def filled():
    """The cache of a ragged, merged prefill."""
    llm = tiny_decoder()
    cache = KVCache.empty(llm.depth)
    with torch.no_grad():
        llm(make_prompt(llm, SAMPLES).state, MERGER, cache)
    return llm, cache


def test_each_layer_has_a_length_of_its_own(filled):
    _, cache = filled
    lengths = [layer.length for layer in cache.layers]
    assert lengths[0] > lengths[1] > lengths[2]
    assert lengths[2] == lengths[3]
    assert {layer.rows.span for layer in cache.layers} == {lengths[0]}


def test_a_step_is_appended_to_every_layer(filled):
    llm, cache = filled
    before = [layer.length for layer in cache.layers]
    keys = [layer.k[:, :, : layer.length].clone() for layer in cache.layers]
    for step in range(40):  # far enough for the buffers to grow
        with torch.no_grad():
            llm(more_text(llm, torch.full((4, 1), step), cache.next_pos), cache=cache)
    for layer, length, k in zip(cache.layers, before, keys, strict=True):
        assert layer.length == length + 40
        assert torch.equal(layer.k[:, :, :length], k)
        assert layer.k.shape[2] < 2 * layer.length + 64
        steps = layer.rows.rank[:, length:]
        assert torch.equal(steps, (cache.next_pos - 40)[:, None] + torch.arange(40))


def test_buffers_are_not_copied_at_every_step(filled):
    llm, cache = filled
    addresses = []
    for step in range(30):
        with torch.no_grad():
            llm(more_text(llm, torch.full((4, 1), step), cache.next_pos), cache=cache)
        addresses.append(cache.layers[0].k.data_ptr())
    assert len(set(addresses)) <= 2


def test_saved_and_loaded_it_is_the_same(filled, tmp_path):
    _, cache = filled
    save_file(cache.tensors(), tmp_path / "prefix.safetensors")
    again = KVCache.from_tensors(load_file(tmp_path / "prefix.safetensors"))
    assert torch.equal(again.next_pos, cache.next_pos)
    for a, b in zip(again.layers, cache.layers, strict=True):
        assert (a.length, a.rows.padded) == (b.length, b.rows.padded)
        assert a.rows.span >= int(cache.next_pos.max())
        for name in ("k", "v"):
            assert torch.equal(getattr(a, name), getattr(b, name)[:, :, : b.length])
        for name in ROW_FIELDS:
            assert torch.equal(getattr(a.rows, name), getattr(b.rows, name))


def test_layers_with_the_same_rows_share_their_description(filled, tmp_path):
    """Also in a fork, and after saving and loading, so that a decoding step makes one mask for all of them."""
    _, cache = filled
    save_file(cache.tensors(), tmp_path / "prefix.safetensors")
    for some in (cache, cache.fork(1), KVCache.from_tensors(load_file(tmp_path / "prefix.safetensors"))):
        first, second, third, fourth = (layer.rows for layer in some.layers)
        assert third is fourth
        assert first is not second is not third


def test_tensors_are_copies(filled):
    _, cache = filled
    tensors = cache.tensors()
    tensors["0.k"].zero_()
    tensors["next_pos"].zero_()
    assert cache.layers[0].k.abs().sum() > 0
    assert cache.next_pos.sum() > 0


def test_a_fork_leaves_the_prefix_as_it_was():
    llm = tiny_decoder()
    cache = KVCache.empty(llm.depth)
    with torch.no_grad():
        llm(make_prompt(llm, SAMPLES[:1]).state, MERGER, cache)
        before = {name: tensor.clone() for name, tensor in cache.tensors().items()}
        fork = cache.fork(3)
        llm(more_text(llm, torch.tensor([[1, 2], [3, 4], [5, 6]]), fork.next_pos), cache=fork)
    assert [layer.length for layer in fork.layers] == [layer.length + 2 for layer in cache.layers]
    assert fork.next_pos.tolist() == [int(cache.next_pos) + 2] * 3
    after = cache.tensors()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_some_rows_can_be_read():
    layer = LayerCache()
    k, v = torch.randn(2, 3, 2, 5, 4)
    layer.append(k[:, :, :2], v[:, :, :2], None)
    layer.append(k[:, :, 2:], v[:, :, 2:], None)
    got_k, got_v = layer.read(torch.tensor([[0, 4], [2, 1], [3, 3]]))
    for b, rows in enumerate(([0, 4], [2, 1], [3, 3])):
        assert torch.equal(got_k[b], k[b][:, rows])
        assert torch.equal(got_v[b], v[b][:, rows])
