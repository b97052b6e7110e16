import pytest
import torch

from elva.apis.cost.rows import RowCounter
from elva.models.llms import HFDecoder, Trace, assemble
from elva.models.tokenizers import ElvaPatchEmbed
from elva.registry import MERGERS, REDUCERS, register_all_modules
from elva.structures import Clip, FramePlan

DEPTH, TEXT = 4, 11
TOKENIZER = ElvaPatchEmbed(out_channels=16, patch_size=4, embed_channels=16, num_heads=2, pos_embed=True)


@pytest.fixture(scope="module", autouse=True)
def _registered():
    register_all_modules()


def plan_of(frames: int, side: int = 16) -> FramePlan:
    return FramePlan(tuple(float(t) for t in range(frames)), ((side, side),) * frames)


def counter(merger: dict | None = None, reducers: tuple[dict, ...] = (), tokenizer=TOKENIZER) -> RowCounter:
    return RowCounter({"merger": merger, "reducers": reducers}, tokenizer, DEPTH)


def rows_of_a_still_video(merger: dict, plans: list[FramePlan]) -> list[float]:
    """What the language model itself counts, for clips whose frames are all the same."""
    torch.manual_seed(0)
    shape = {"hidden_size": 16, "intermediate_size": 16, "num_attention_heads": 2, "num_key_value_heads": 2}
    llm = HFDecoder(config={"model_type": "qwen2", "num_hidden_layers": DEPTH, "vocab_size": 9, **shape})
    clips = []
    for plan in plans:
        frame = torch.randn(3, *plan.sizes[0])
        clips.append(Clip(plan, (frame.expand(len(plan), -1, -1, -1),)))
    ids = torch.cat((torch.zeros(1, len(plans)), torch.ones(1, TEXT - len(plans))), 1).long()
    valid = torch.ones_like(ids, dtype=torch.bool)
    trace = Trace()
    with torch.no_grad():
        state = assemble(llm.embed, ids, valid, TOKENIZER(clips), 0).state
        llm(state, MERGERS.build_with(merger, in_channels=16), trace=trace)
    return trace.tokens_per_layer()


@pytest.mark.parametrize(
    "merger",
    [
        dict(type="HierarchicalTemporalMerger", layers=(1, 2), ratio=0.5),
        dict(type="HierarchicalTemporalMerger", layers=(0, 3), ratio=0.25),
        dict(type="ToMe", layers=(1, 2), ratio=0.25),
        dict(type="FastV", layer=2, ratio=0.5),
    ],
)
@pytest.mark.parametrize("frames", [(1,), (2,), (8,), (3, 5)])
def test_rows_are_those_of_a_video_that_stands_still(merger: dict, frames: tuple[int, ...]):
    plans = [plan_of(count) for count in frames]
    assert list(counter(merger).count(plans, TEXT).layers) == rows_of_a_still_video(merger, plans)


@pytest.mark.parametrize("name", sorted(set(MERGERS.names())))
def test_every_merger_can_be_counted(name: str):
    layers = 32
    rows = RowCounter({"merger": {"type": name}}, TOKENIZER, layers).count([plan_of(8)], TEXT)
    assert len(rows.layers) == layers and rows.layers[0] <= rows.tokens + TEXT - 1
    assert min(rows.layers) < rows.tokens + TEXT - 1 or {} in MERGERS.get(name).identity


@pytest.mark.parametrize("name", sorted(set(REDUCERS.names())))
def test_every_reducer_can_be_counted(name: str):
    inner = {"reducers": [{"type": "SpatialPool"}]} if name == "Compose" else {}
    rows = counter(reducers=({"type": name, **inner},)).count([plan_of(4, side=96)], TEXT)
    assert 0 < rows.reduced <= rows.tokens
    assert set(rows.layers) == {rows.reduced + TEXT - 1}


def test_one_frame_has_nothing_to_merge_through_time():
    merger = dict(type="HierarchicalTemporalMerger", layers=(1, 2))
    rows = counter(merger).count([plan_of(1)], TEXT)
    assert rows.layers == (TEXT - 1 + 4 * 4 + 4 + 1,) * DEPTH


def test_another_ratio_is_another_count():
    counted = counter(dict(type="HierarchicalTemporalMerger", layers=(1, 2), ratio=0.5))
    least, most = (counted.count([plan_of(8)], TEXT, ratio).layers for ratio in (0.5, 0.0))
    assert counted.count([plan_of(8)], TEXT).layers == least
    assert most == counted.count([plan_of(8)], TEXT, merged=False).layers == (8 * 21 + TEXT - 1,) * DEPTH
    assert least[1] < most[1]


def test_without_a_merger_or_a_video_every_layer_has_all_rows():
    assert counter().count([plan_of(2)], TEXT).layers == (TEXT - 1 + 2 * 21,) * DEPTH
    assert counter(dict(type="ToMe", layers=(1,))).count([], TEXT).layers == (TEXT,) * DEPTH


def test_a_tokenizer_of_another_layout_is_taken_to_give_patches_alone():
    class Other(torch.nn.Module):
        def count(self, plan: FramePlan) -> int:
            return 100 * len(plan) + 7

    merger = dict(type="HierarchicalTemporalMerger", layers=(1, 2), ratio=0.5)
    rows = counter(merger, tokenizer=Other()).count([plan_of(2)], TEXT)
    assert rows.tokens == 207 and rows.layers[0] == 207 + TEXT - 1
    assert rows.layers[1] == 104 + TEXT - 1, "the second frame joins the first, place by place, up to the ratio"


def test_flops_of_reducers_are_exact_at_any_width():
    class Products(torch.nn.Module):
        requires = frozenset()

        def __init__(self, in_channels: int) -> None:
            super().__init__()
            self.linear, self.width = torch.nn.Linear(in_channels, 2 * in_channels), in_channels

        def forward(self, tokens, context):
            self.linear(tokens.x) @ tokens.x.mT.repeat(1, 2, 1)
            return tokens

    REDUCERS.register_module(name="Products", module=Products)
    try:
        counted = counter(reducers=({"type": "Products"},))
        tokens = counted.count([plan_of(2)], TEXT).tokens
        width = 3584
        expected = 2 * tokens * width * 2 * width + 2 * tokens**2 * 2 * width
        assert counted.reducer_flops([plan_of(2)], TEXT, width) == pytest.approx(expected, rel=1e-6)
    finally:
        REDUCERS.module_dict.pop("Products")
    assert counter().reducer_flops([plan_of(2)], TEXT, width) == 0
