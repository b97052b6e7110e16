import pytest

from elva.utils.report_text import amount, gibibytes, table


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0 FLOPs"), (0.5, "0.50 FLOPs"), (999, "999 FLOPs"), (999.9, "1.00 kFLOPs"), (75.7e12, "75.7 TFLOPs")],
)
def test_amount_has_three_digits_and_a_prefix(value: float, text: str):
    assert amount(value, "FLOPs") == text


def test_parameters_are_counted_in_billions():
    assert amount(7.62e9, billion="B") == "7.62 B"


def test_gibibytes_below_a_tenth_are_mebibytes():
    assert (gibibytes(80 * 2**30), gibibytes(3 * 2**20)) == ("80.0 GiB", "3.0 MiB")


def test_table_aligns_numbers_to_the_right_and_ends_no_line_in_blanks():
    text = table([("part", "rows", ""), ("llm", "5", ""), ("tokenizer", "10", "x")], align="<><", indent=1)
    assert text.split("\n") == [" part       rows", " ---------  ----  -", " llm           5", " tokenizer    10  x"]
