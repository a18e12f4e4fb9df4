"""Padded passes: the smallest shape that holds what is fed, and where each token stands in it. That they read alike: test_kv_cache."""

import pytest

from baco.forward.packing import Feed
from baco.forward.padding import MOST_TOKENS, PaddedShape


def feed(slot: int, start: int, *token_ids: int) -> Feed:
    return Feed(slot=slot, start=start, token_ids=token_ids)


@pytest.mark.parametrize(
    ("feeds", "shape"),
    [
        ([feed(0, 7, 1)], (1, 1, 256)),
        ([feed(0, 254, 1, 2)], (1, 2, 256)),
        ([feed(0, 255, 1, 2)], (1, 2, 512)),
        ([feed(2, 0, 1)], (4, 1, 256)),
        ([feed(0, 5, 1), feed(5, 4000, 1, 2, 3, 4, 5)], (8, 6, 4096)),
        ([feed(0, 8191, 1)], (1, 1, 8192)),
        ([feed(0, 8192, 1)], (1, 1, 12288)),
        ([feed(0, 0, *range(17))], None),
        ([feed(MOST_TOKENS, 0, 1)], None),
    ],
)
def test_the_smallest_shape_is_taken_and_none_for_what_is_large(feeds: list[Feed], shape: tuple[int, int, int] | None) -> None:
    assert PaddedShape.of(feeds) == (None if shape is None else PaddedShape(*shape))


def test_each_token_stands_in_its_row_and_what_fills_up_is_written_where_nothing_reads() -> None:
    feeds = [feed(0, 3, 11, 12), feed(2, 9, 13)]
    shape = PaddedShape.of(feeds)
    assert shape is not None and (shape.rows, shape.queries) == (4, 2)
    tokens, positions, places = shape.numbers(feeds, stride=100)
    assert tokens == [11, 12, 0, 0, 13, 0, 0, 0]
    assert positions == [3, 4, 0, 0, 9, 0, 0, 0]
    assert places == [3, 4, 199, 199, 209, 299, 399, 399]
    assert shape.indices(feeds, [0, 1, 2]) == [0, 1, 4]
    assert shape.indices(feeds, [2]) == [4]
