"""Tables: CSV, TSV and Parquet, mapped into memory as Arrow."""

import csv
import mmap
from collections.abc import Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from reprlib import repr as short
from typing import Any

import numpy as np
import pyarrow as pa
from mmengine.logging import print_log
from pyarrow import parquet

from .base import AnnotationFile, check_exists
from .cached import cached
from .plain_row import plain_row

_DELIMITERS = {".csv": ",", ".tsv": "\t"}
_ROWS = 1024
"""Rows of a batch; of a batch, only the pages that a row lies in are read."""
_READS = 64
"""Reads after which the pages read so far are let go; one read may map hundreds of pages around its own."""


class Table(AnnotationFile):
    """The rows of a CSV, TSV or Parquet file; a row is an object with the columns that are not null in it.

    Neither kind can be read from the middle. So the file is converted once, in a stream, to an Arrow file in the
    user's cache folder (about as large as the CSV file, or the Parquet file unpacked), which is mapped: nothing is held
    in memory but the pages of the last rows, and these are shared with all other processes.

    Args:
        path: ``.csv``, ``.tsv`` (UTF-8, the first line names the columns; every value is a text) or ``.parquet``.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no such table, has no rows, or the converted file cannot be written.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = check_exists(path)
        try:
            self._arrow = cached(self.path, ".v1.arrow", partial(_convert, self.path))
        except pa.ArrowException as error:
            raise ValueError(f"{self.path}: {str(error).removesuffix('.')}") from error
        except OSError as error:
            raise ValueError(
                f"{self.path} cannot be converted to an Arrow file ({error}). Set XDG_CACHE_HOME to a folder with room."
            ) from error
        self._map: mmap.mmap | None = None
        self._batches: Any = None
        self._reads = 0
        counts = [self._reader().get_batch(number).num_rows for number in range(self._reader().num_record_batches)]
        if not sum(counts):
            raise ValueError(f"Annotation file '{self.path}' has no samples")
        self._ends = np.cumsum(counts)

    def __len__(self) -> int:
        return int(self._ends[-1])

    def __getitem__(self, index: int) -> dict[str, Any]:
        number = int(np.searchsorted(self._ends, index, side="right"))
        batch = self._reader().get_batch(number)
        (row,) = batch.slice(index - int(self._ends[number]) + batch.num_rows, 1).to_pylist()
        try:
            return plain_row(row)
        except ValueError as error:
            raise ValueError(f"{self.where(index)}: {error}") from error

    def where(self, index: int) -> str:
        return f"{self.path}: row {index}"

    def _reader(self) -> Any:
        """The batches of the mapped file. Pages once read count as this process's memory, so they are let go."""
        if self._map is None:
            with self._arrow.open("rb") as file:
                self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            self._batches = pa.ipc.open_file(pa.py_buffer(self._map))
        self._reads += 1
        if self._reads % _READS == 0:
            self._map.madvise(mmap.MADV_DONTNEED)
        return self._batches

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_map": None, "_batches": None}  # another process maps it itself


def _convert(path: Path, target: Path) -> None:
    print_log(f"Converting {path} once to an Arrow file ({target.parent})", "current")
    schema, batches = _parquet(path) if path.suffix.lower() == ".parquet" else _csv(path)
    twice = sorted({name for name in schema.names if schema.names.count(name) > 1})
    if twice:
        raise ValueError(f"{path}: there are several columns {', '.join(map(repr, twice))}: rename all but one")
    plain = pa.schema([(field.name, _decoded(field.type)) for field in schema])
    with pa.OSFile(str(target), "wb") as sink, pa.ipc.new_file(sink, plain) as writer:
        for batch in batches:
            writer.write_table(pa.Table.from_batches([batch]).cast(plain), max_chunksize=_ROWS)
    pa.default_memory_pool().release_unused()


def _parquet(path: Path) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    file = parquet.ParquetFile(path, buffer_size=1 << 20)
    return file.schema_arrow, file.iter_batches(batch_size=_ROWS, use_threads=False)


def _csv(path: Path) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    """The columns as texts: what a column is must not depend on how its first rows look."""
    lines = _csv_lines(path)
    names = next(lines, None)
    if names is None:
        raise ValueError(f"{path} is empty: expected the names of the columns in its first line")
    schema = pa.schema([(name, pa.string()) for name in names])

    def batches() -> Iterator[pa.RecordBatch]:
        while rows := list(islice(lines, _ROWS)):
            columns = [pa.array(column, pa.string()) for column in zip(*rows, strict=True)]
            yield pa.record_batch(columns, schema=schema)

    return schema, batches()


def _csv_lines(path: Path) -> Iterator[list[str]]:
    """The fields of each line, the names of the columns first; lines with nothing in them are left out.

    Python's reader, and not Arrow's, which takes a quote that is never closed for the rest of the file.

    Raises:
        ValueError: If a quote is not closed, a line has more or fewer fields than there are columns, or the file is not
            UTF-8; file and line are named.
    """
    line, width = 1, 0
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, delimiter=_DELIMITERS[path.suffix.lower()], strict=True)
        try:
            for fields in reader:
                width = width or len(fields)
                if fields and len(fields) != width:
                    raise ValueError(f"{path}: line {line} has {len(fields)} fields, expected {width}: {short(fields)}")
                if fields:
                    yield fields
                line = reader.line_num + 1
        except csv.Error as error:
            raise ValueError(f"{path}: line {line} cannot be read: {error}. Is a quote not closed?") from error
        except UnicodeDecodeError as error:
            raise ValueError(
                f"{path} is not UTF-8 text, from about line {line} on: {error}. Save it as UTF-8."
            ) from error


def _decoded(kind: pa.DataType) -> pa.DataType:
    """What an Arrow file can hold in any number of batches: not a dictionary that grows."""
    return kind.value_type if pa.types.is_dictionary(kind) else kind
