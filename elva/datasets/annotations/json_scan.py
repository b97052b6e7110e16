"""Finds the objects of a JSON array without making any."""

import numpy as np

_QUOTE, _BACKSLASH, _COMMA = ord('"'), ord("\\"), ord(",")
_OPEN, _CLOSE = ord("{"), ord("}")
_SPACE = np.frombuffer(b" \t\r\n\xef\xbb\xbf", np.uint8)  # and the three bytes of UTF-8's byte order mark
_NONE = np.empty(0, np.int64)


class JSONScan:
    """What is known of a file after the blocks so far.

    Texts are told by the parity of their quotes, objects by the depth of their braces. The work goes with the number of
    quotes and braces: of all bytes, a block is only compared with four.
    """

    def __init__(self) -> None:
        self._depth = 0
        self._in_text = False
        self._escaped = False  # the next block's first byte
        self._starts, self._ends = [_NONE], [_NONE]
        self._places, self._marks = [_NONE], [np.empty(0, np.uint8)]  # what stands between the objects, but space

    def add(self, place: int, block: np.ndarray) -> None:
        """Take the next block, which begins at byte ``place``; (N,) uint8."""
        quotes = self._quotes(block)
        braces = np.flatnonzero((block == _OPEN) | (block == _CLOSE))
        braces = braces[(np.searchsorted(quotes, braces) + self._in_text) % 2 == 0]
        opening = block[braces] == _OPEN
        depth = self._depth + np.cumsum(np.where(opening, 1, -1), dtype=np.int32)
        starts, ends = braces[opening & (depth == 1)], braces[~opening & (depth == 0)] + 1
        self._between(place, block, starts, ends)
        self._starts.append(place + starts)
        self._ends.append(place + ends)
        self._depth = int(depth[-1]) if len(depth) else self._depth
        self._in_text = bool((len(quotes) + self._in_text) % 2)

    def objects(self) -> tuple[np.ndarray, np.ndarray] | None:
        """The first and one past the last byte of each object, (N,) int64; None if the file is no array of objects."""
        starts, ends = np.concatenate(self._starts), np.concatenate(self._ends)
        places, marks = np.concatenate(self._places), np.concatenate(self._marks)
        expected = f"[{',' * max(0, len(starts) - 1)}]".encode()
        if self._depth or self._in_text or len(starts) != len(ends) or marks.tobytes() != expected:
            return None
        if len(starts) and not ((places[:-1] < starts).all() and (places[1:] >= ends).all()):
            return None
        return starts, ends

    def _quotes(self, block: np.ndarray) -> np.ndarray:
        """Places of the quotes that begin or end a text: those that are not escaped."""
        quotes, slashes = np.flatnonzero(block == _QUOTE), np.flatnonzero(block == _BACKSLASH)
        escaped = np.zeros(len(block) + 1, bool)
        escaped[0] = self._escaped
        if len(slashes):
            first = slashes[np.diff(slashes, prepend=-2) != 1]  # of each run of backslashes
            run = np.searchsorted(first, slashes, side="right") - 1
            first[0] += self._escaped and first[0] == 0  # one that is escaped itself escapes nothing
            escaped[slashes[(slashes - first[run]) % 2 == 0] + 1] = True
        self._escaped = bool(escaped[-1])
        return quotes[~escaped[quotes]]

    def _between(self, place: int, block: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> None:
        """Note what stands outside of all objects and is no space."""
        gap_from = np.concatenate([[0], ends]) if self._depth <= 0 else ends
        gap_to = np.concatenate([starts, [len(block)]]) if len(gap_from) > len(starts) else starts
        lengths = gap_to - gap_from
        outside = np.arange(lengths.sum()) + np.repeat(gap_from - np.cumsum(lengths) + lengths, lengths)
        outside = outside[~np.isin(block[outside], _SPACE)]
        self._places.append(place + outside)
        self._marks.append(block[outside])
