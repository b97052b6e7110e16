import pytest
import torch
from safetensors.torch import load_file, save_file

from elva.models.llms import KVCache
from elva.models.llms.cache import LayerCache
from elva.models.mergers import HierarchicalTemporalMerger
from elva.structures import PAD_RANK
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
    assert {layer.span for layer in cache.layers} == {lengths[0]}


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
        steps = layer.rank[:, length : length + 40]
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
        assert (a.length, a.padded) == (b.length, b.padded)
        assert a.span >= int(cache.next_pos.max())
        for name in ("k", "v"):
            assert torch.equal(getattr(a, name), getattr(b, name)[:, :, : b.length])
        for name in ("rank", "valid"):
            assert torch.equal(getattr(a, name), getattr(b, name)[:, : b.length])


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


def test_a_mask_over_the_cache_hides_padding_and_the_future():
    llm = tiny_decoder()
    state = make_prompt(llm, [(3,), (1,)]).state
    layer = LayerCache()
    keys = torch.zeros(2, 2, 3, 8)
    layer.append(keys, keys, state)
    more = more_text(llm, torch.tensor([[1, 2], [3, 4]]), torch.tensor([3, 1]))
    layer.append(keys[:, :, :2], keys[:, :, :2], more)
    mask = layer.mask(more)
    assert not mask.bias_free
    assert mask.k_rank.tolist() == [[0, 1, 2, 3, 4], [0, PAD_RANK, PAD_RANK, 1, 2]]
    assert mask.dense[1, 0].tolist() == [[True, False, False, True, False], [True, False, False, True, True]]


def test_a_decoding_step_over_an_unpadded_cache_needs_no_mask():
    llm = tiny_decoder()
    layer, keys = LayerCache(), torch.zeros(1, 2, 1, 8)
    layer.append(keys.expand(-1, -1, 3, -1), keys.expand(-1, -1, 3, -1), make_prompt(llm, [(3,)]).state)
    step = more_text(llm, torch.tensor([[1]]), torch.tensor([3]))
    layer.append(keys, keys, step)
    assert layer.mask(step).full


def test_what_an_append_would_lead_to(filled):
    llm, cache = filled
    more = more_text(llm, torch.tensor([[1, 2]] * 4), cache.next_pos)
    keys = torch.randn(4, 2, 2, 8)
    layer = cache.layers[1]
    length = layer.length
    expected, mask = layer.before(keys, more)
    assert layer.length == length
    got, _ = layer.append(keys, keys, more)
    assert torch.equal(got, expected)
    assert torch.equal(layer.mask(more).dense, mask.dense)
    assert layer.mask(more).span == mask.span
