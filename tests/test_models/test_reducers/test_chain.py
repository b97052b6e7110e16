import pytest

from elva.models.mergers import NoMerge
from elva.models.reducers import TokenReducer, check_chain, signals
from elva.registry import TOKENIZERS


class Holes(TokenReducer):
    def forward(self, tokens, context):
        return tokens


class Pools(TokenReducer):
    needs_grid = keeps_grid = True

    def forward(self, tokens, context):
        return tokens


class Ranks(TokenReducer):
    requires = frozenset({"attn", "text"})

    def forward(self, tokens, context):
        return tokens


def linear():
    return TOKENIZERS.build(dict(type="LinearPatchEmbed", out_channels=8, embed_channels=8))


def test_a_grid_is_needed_before_holes_not_after():
    check_chain(linear(), [Pools(), Pools(), Holes()], NoMerge())
    with pytest.raises(
        ValueError, match="Pools needs frames with all the tokens of their grid, but Holes before it"
    ) as error:
        check_chain(linear(), [Holes(), Pools()])
    assert str(error.value).endswith("Put Pools first, or take one of them out.")
    merger = NoMerge()
    merger.needs_grid = True
    with pytest.raises(ValueError, match=r"NoMerge needs frames .* Take one of them out\."):  # it cannot come first
        check_chain(linear(), [Holes()], merger)


def test_signals_come_from_the_tokenizer():
    assert signals([Ranks(), Holes()]) == {"attn"}
    tokenizer = linear()
    with pytest.raises(
        ValueError, match="Ranks needs the attn of the tokenizer, which LinearPatchEmbed does not offer"
    ):
        check_chain(tokenizer, [Ranks()])
    tokenizer.offers = frozenset({"attn", "keys"})
    check_chain(tokenizer, [Ranks()])
