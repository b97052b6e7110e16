"""The rows of a benchmark's files, and what is said when one of them is not what was published."""

import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Row:
    """One row, whose values are checked when they are asked for.

    Attributes:
        values: By column.
        where: The file and the row, for messages.
    """

    values: Mapping[str, Any]
    where: str

    def called(self, question: str) -> "Row":
        """The same row, whose messages name the question as well."""
        return replace(self, where=f"{self.where}: question '{question}'")

    def has(self, key: str) -> bool:
        """Whether the column is there and not empty."""
        return self.values.get(key) is not None

    def text(self, key: str) -> str:
        """The text in column ``key``, stripped; a whole number (an id) becomes text."""
        value = self._value(key)
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        if not isinstance(value, str) or not value.strip():
            raise self.wrong(f"'{key}' must be text, got {value!r}")
        return value.strip()

    def texts(self, key: str) -> tuple[str, ...]:
        """The list of texts in column ``key``, stripped."""
        values = self._value(key)
        if not isinstance(values, list | tuple) or not values:
            raise self.wrong(f"'{key}' must be a list of texts, got {values!r}")
        return tuple(Row({key: value}, self.where).text(key) for value in values)

    def number(self, key: str) -> float:
        """The number in column ``key``; also one that is written as text, as all are in CSV."""
        value = self._value(key)
        try:
            return float("not a number" if isinstance(value, bool) else value)
        except (TypeError, ValueError) as error:
            raise self.wrong(f"'{key}' must be a number, got {value!r}") from error

    def whole(self, key: str, low: int | None = None, high: int | None = None) -> int:
        """The whole number in column ``key``, from ``low`` to ``high``."""
        number = self.number(key)
        if not number.is_integer():
            raise self.wrong(f"'{key}' must be a whole number, got {self.values[key]!r}")
        if (low is not None and number < low) or (high is not None and number > high):
            raise self.wrong(f"'{key}' must lie in [{low}, {high}], got {int(number)}")
        return int(number)

    def place(self, key: str, options: tuple[str, ...]) -> int:
        """Where in ``options`` the text of column ``key`` stands."""
        text = self.text(key)
        if text not in options:
            raise self.wrong(f"'{key}' is {text!r}, which is none of the options {list(options)}")
        return options.index(text)

    def wrong(self, what: str) -> ValueError:
        """An error that says where it is."""
        return ValueError(f"{self.where}: {what}")

    def _value(self, key: str) -> Any:
        if key not in self.values:
            raise self.wrong(f"there is no '{key}' (there are: {', '.join(map(str, self.values))})")
        if self.values[key] is None:
            raise self.wrong(f"'{key}' is empty")
        return self.values[key]


def json_rows(path: Path) -> Iterator[Row]:
    """Yield the objects of a JSON file that holds a list of them.

    Raises:
        ValueError: If it does not.
    """
    return _rows(path, _read_json(path, list))


def json_object(path: Path) -> dict[str, Any]:
    """Return the object that a JSON file holds.

    Raises:
        ValueError: If it holds none.
    """
    content: dict[str, Any] = _read_json(path, dict)
    return content


def csv_rows(path: Path, delimiter: str = ",") -> Iterator[Row]:
    """Yield the rows of a CSV file, whose first line names the columns.

    Raises:
        ValueError: If it is none, or not in UTF-8.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            contents = list(csv.DictReader(file, delimiter=delimiter))
    except (csv.Error, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: cannot be read as CSV in UTF-8 ({error})") from error
    return _rows(path, contents)


def tab_rows(path: Path) -> Iterator[Row]:
    """Yield the rows of a file whose columns are divided by tabs."""
    return csv_rows(path, delimiter="\t")


def parquet_rows(path: Path) -> Iterator[Row]:
    """Yield the rows of a Parquet file.

    Raises:
        ValueError: If it is none.
    """
    from pyarrow import ArrowException, parquet

    try:
        table = parquet.read_table(path)
    except (ArrowException, OSError) as error:
        raise ValueError(f"{path}: cannot be read as Parquet ({error})") from error
    return _rows(path, table.to_pylist())


def _rows(path: Path, contents: Iterable[Any]) -> Iterator[Row]:
    for number, values in enumerate(contents, start=1):
        where = f"{path}: row {number}"
        if not isinstance(values, Mapping):
            raise ValueError(f"{where} must be an object, got {values!r}")
        yield Row(values, where)


def _read_json(path: Path, kind: type) -> Any:
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except ValueError as error:
        raise ValueError(f"{path}: is not JSON ({error})") from error
    if not isinstance(content, kind):
        expected = "a list" if kind is list else "an object"
        raise ValueError(f"{path}: must hold {expected}, got a {type(content).__name__}")
    return content
