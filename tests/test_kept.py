"""What is kept in a bounded number of bytes, and what goes first."""

import pytest

from cnnviz.kept import Kept


@pytest.mark.parametrize(
    ("sizes", "left", "size"),
    [
        ([], "", 0),
        ([("a", 4), ("b", 6)], "ab", 10),
        ([("a", 4), ("b", 6), ("c", 1)], "bc", 7),
        ([("a", 4), ("b", 6), ("c", 7)], "c", 7),
        ([("a", 4), ("b", 11)], "a", 4),  # larger than all there is room for
        ([("a", 4), ("a", 9)], "a", 9),
        ([("a", 9), ("b", 1), ("a", 2)], "ba", 3),
        ([("a", 0), ("b", 10)], "ab", 10),
    ],
)
def test_the_bound_holds_and_the_oldest_go(sizes, left, size):
    kept = Kept(10)
    for key, length in sizes:
        kept.put(key, bytes(length))
    assert tuple(kept) == tuple(left)
    assert kept.size == size == sum(len(kept.get(key)) for key in left)


def test_what_was_asked_for_stays_longer():
    kept = Kept(3)
    for key in "abc":
        kept.put(key, key.encode())
    assert kept.get("a") == b"a"
    kept.put("d", b"d")
    assert kept.get("b") is None
    assert tuple(kept) == ("c", "a", "d")
