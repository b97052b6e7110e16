import pytest
import torch

from elva.apis.dry_run.rows import rows_per_layer
from elva.models.llms import HFDecoder, Trace, assemble
from elva.models.mergers import HierarchicalTemporalMerger, ToMe
from elva.models.tokenizers import ElvaPatchEmbed
from elva.structures import Clip, FramePlan

DEPTH, TEXT = 4, 11
TOKENIZER = ElvaPatchEmbed(out_channels=16, patch_size=4, embed_channels=16, num_heads=2, pos_embed=True)


def plan_of(frames: int, side: int = 16) -> FramePlan:
    return FramePlan(tuple(float(t) for t in range(frames)), ((side, side),) * frames)


def rows_of_a_still_video(merger, plans: list[FramePlan]) -> list[float]:
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
        llm(assemble(llm.embed, ids, valid, TOKENIZER(clips), 0).state, merger, trace=trace)
    return trace.tokens_per_layer()


@pytest.mark.parametrize(
    "merger",
    [
        HierarchicalTemporalMerger(layers=(1, 2), ratio=0.5),
        HierarchicalTemporalMerger(layers=(0, 3), ratio=0.25),
        ToMe(layers=(1, 2), ratio=0.25),
    ],
)
@pytest.mark.parametrize("frames", [(1,), (2,), (8,), (3, 5)])
def test_rows_are_those_of_a_video_that_stands_still(merger, frames: tuple[int, ...]):
    plans = [plan_of(count) for count in frames]
    assert rows_per_layer(merger, TOKENIZER, plans, TEXT, DEPTH) == rows_of_a_still_video(merger, plans)


def test_one_frame_has_nothing_to_merge_through_time():
    merger = HierarchicalTemporalMerger(layers=(1, 2))
    rows = rows_per_layer(merger, TOKENIZER, [plan_of(1)], TEXT, DEPTH)
    assert rows == [TEXT - 1 + 4 * 4 + 4 + 1] * DEPTH


def test_without_a_merger_or_a_video_every_layer_has_all_rows():
    assert rows_per_layer(None, TOKENIZER, [plan_of(2)], TEXT, DEPTH) == [TEXT - 1 + 2 * 21] * DEPTH
    assert rows_per_layer(ToMe(layers=(1,)), TOKENIZER, [], TEXT, DEPTH) == [TEXT] * DEPTH


def test_a_tokenizer_of_another_layout_is_counted_by_the_mergers_schedule():
    class Other(torch.nn.Module):
        def count(self, plan: FramePlan) -> int:
            return 100 * len(plan)

    merger = HierarchicalTemporalMerger(layers=(1, 2), ratio=0.5)
    assert rows_per_layer(merger, Other(), [plan_of(2)], TEXT, DEPTH) == [210, 110, 60, 60]
