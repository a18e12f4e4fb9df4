"""Padded passes: the smallest shape that holds the segments, and where each token is in it. Their logits: test_speculation."""

import pytest

from baco.forward.packing import Segment
from baco.forward.padding import MAX_TOKENS, PaddedShape


def segment(slot: int, start: int, *token_ids: int) -> Segment:
    return Segment(slot=slot, start=start, token_ids=token_ids)


@pytest.mark.parametrize(
    ("segments", "shape"),
    [
        ([segment(0, 7, 1)], (1, 1, 256)),
        ([segment(0, 254, 1, 2)], (1, 2, 256)),
        ([segment(0, 255, 1, 2)], (1, 2, 512)),
        ([segment(2, 0, 1)], (4, 1, 256)),
        ([segment(0, 5, 1), segment(5, 4000, 1, 2, 3, 4, 5)], (8, 6, 4096)),
        ([segment(0, 8191, 1)], (1, 1, 8192)),
        ([segment(0, 8192, 1)], (1, 1, 12288)),
        ([segment(0, 0, *range(17))], None),
        ([segment(MAX_TOKENS, 0, 1)], None),
    ],
)
def test_the_smallest_shape_is_taken_and_none_for_what_is_large(segments: list[Segment], shape: tuple[int, int, int] | None) -> None:
    assert PaddedShape.of(segments) == (None if shape is None else PaddedShape(*shape))


def test_each_token_is_in_its_row_and_padding_is_written_where_nothing_reads() -> None:
    segments = [segment(0, 3, 11, 12), segment(2, 9, 13)]
    shape = PaddedShape.of(segments)
    assert shape is not None and (shape.rows, shape.queries) == (4, 2)
    tokens, positions, places = shape.numbers(segments, stride=100)
    assert tokens == [11, 12, 0, 0, 13, 0, 0, 0]
    assert positions == [3, 4, 0, 0, 9, 0, 0, 0]
    assert places == [3, 4, 199, 199, 209, 299, 399, 399]
    assert shape.indices(segments, [0, 1, 2]) == [0, 1, 4]
    assert shape.indices(segments, [2]) == [4]
