import json
from argparse import ArgumentParser

from elva.utils.json_file import add_json, write_json


def test_numbers_are_written_where_the_option_says_and_nowhere_without_it(tmp_path):
    parser = ArgumentParser()
    add_json(parser)
    write_json(parser.parse_args([]).json, {"rows": [1, 2.5]})
    assert not list(tmp_path.iterdir())
    path = tmp_path / "new" / "numbers.json"
    write_json(parser.parse_args(["--json", str(path)]).json, {"rows": [1, 2.5]})
    assert json.loads(path.read_text()) == {"rows": [1, 2.5]}
