"""Everything that a merger promises by being registered, as checks that take its name.

The rules are in ``docs/concepts.md``; each check says which one it is. A check builds the merger with its defaults (or
with the settings given) inside a tiny random language model, and runs a ragged batch through it.
"""

from collections.abc import Callable

from . import merger_numbers, merger_rows

MERGER_CONTRACT: tuple[Callable[..., None], ...] = (
    merger_rows.shortens_the_sequence,
    merger_rows.keeps_text_frames_kinds_and_order,
    merger_rows.keeps_account_of_every_row,
    merger_rows.averages_by_size,
    merger_rows.keeps_positions,
    merger_rows.decodes_as_a_recompute_does,
    merger_rows.serves_many_questions_from_one_cache,
    merger_numbers.hides_the_future,
    merger_numbers.ranks_merged_rows,
    merger_numbers.agrees_between_kernels,
    merger_numbers.does_nothing_at_identity_settings,
    merger_numbers.leaves_text_alone,
    merger_numbers.ignores_padding_and_neighbours,
    merger_numbers.promises_no_less_than_it_leaves,
    merger_numbers.ignores_a_huge_channel,
    merger_numbers.passes_the_gradient_on,
    merger_numbers.costs_as_many_calls_for_a_long_clip,
    merger_numbers.keeps_the_data_type,
)
"""Call each as ``check(name, **settings)``; it raises ``AssertionError`` if the merger breaks the promise."""
