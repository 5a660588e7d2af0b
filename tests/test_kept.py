"""What is kept in a bounded number of bytes, and what goes first."""

import pytest

from cnnviz.kept import IDLE_SECONDS, Kept


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


@pytest.mark.parametrize(
    ("used", "left"),
    [
        ({}, ""),
        ({"a": 1}, "a"),
        ({"b": 1, "a": 2}, "ba"),
        ({"a": IDLE_SECONDS - 1}, "a"),
    ],
)
def test_after_an_hour_without_use_it_is_forgotten(used, left):
    now = [0.0]
    kept = Kept(10, lambda: now[0])
    for key in "abc":
        kept.put(key, b"12")
    for key, at in used.items():
        now[0] = at
        kept.get(key)
    now[0] = IDLE_SECONDS - 0.5
    kept.forget()
    assert len(tuple(kept)) == 3
    now[0] = IDLE_SECONDS
    kept.forget()
    assert tuple(kept) == tuple(left)
    assert kept.size == 2 * len(left)
    now[0] = 3 * IDLE_SECONDS
    kept.forget()
    assert (tuple(kept), kept.size) == ((), 0)


def test_what_is_dropped_is_gone_and_makes_room():
    kept = Kept(10)
    for key in "abcd":
        kept.put(key, b"12")
    kept.drop(lambda key: key in "bd")
    assert (tuple(kept), kept.size) == (("a", "c"), 4)
    assert kept.get("b") is None
    kept.put("b", bytes(6))
    assert tuple(kept) == ("a", "c", "b")
    kept.forget()
    assert kept.size == 10
