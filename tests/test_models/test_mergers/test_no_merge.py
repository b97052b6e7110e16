import torch

from elva.models.mergers import NoMerge
from elva.testing import make_prompt, tiny_decoder
from elva.testing.case import SAMPLES, run


def test_it_is_never_called_and_changes_nothing():
    llm = tiny_decoder()
    state = make_prompt(llm, SAMPLES).state
    merger = NoMerge()
    assert merger.sites(4) == []
    assert merger(state, (0, "pre_attn")) is state
    assert torch.equal(run(llm, state, merger)[0].h, run(llm, state, None)[0].h)


def test_every_layer_has_all_rows():
    assert NoMerge().schedule(100, 3) == [100, 100, 100]
