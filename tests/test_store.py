"""Checks that photos stay with their owner, leave memory when the owner is away, and never outgrow their room."""

import sys
import threading
import time
import weakref
from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest

from cnnviz import engine
from cnnviz.images import Photo
from cnnviz.ui.store import IDLE_SECONDS, PHOTOS, Store

MINUTE = 60


class Clock:
    """A clock that moves only when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def photo(name: str, size: int = 300) -> Photo:
    """A photo whose pixels take `size` bytes, a multiple of 3."""
    return Photo(name, np.zeros((1, size // 3, 3), np.uint8), name, ())


def photos(clock: Callable[[], float] = time.monotonic, max_bytes: int = 10**9) -> Store[Photo]:
    return Store(lambda photo: photo.pixels.nbytes, clock, max_bytes)


def held(store: Store[Photo], *owners: str) -> str:
    """The names of the photos that the owners find, "-" where there is none."""
    return " ".join(found.name if found else "-" for found in map(store.get, owners))


@pytest.mark.parametrize(
    ("story", "expected"),
    [
        ("a 59.9", "a"),
        ("a 60", "-"),
        ("a 61", "-"),
        ("a 59 see 59", "a"),
        ("a 59 see 59 see 59 see 59", "a"),
        ("a 59 see 60", "-"),
        ("a 60 see 1", "-"),
        ("a 59 other 59", "-"),
        ("a 40 put 40", "a2"),
        ("a 40 put 60", "-"),
        ("a drop", "-"),
        ("a 61 put 1", "a2"),
    ],
)
def test_a_photo_leaves_sixty_minutes_after_its_owner_was_last_seen(story, expected):
    clock = Clock()
    store = photos(clock)
    for step in story.split():
        match step:
            case "a":
                store.put("owner", photo("a"))
            case "put":
                store.put("owner", photo("a2"))
            case "see":
                store.get("owner")
            case "other":
                store.put("neighbor", photo("b"))
                store.get("neighbor")
            case "drop":
                store.drop("owner")
            case minutes:
                clock.now += float(minutes) * MINUTE
    assert held(store, "owner") == expected


def test_the_idle_hour_is_an_hour():
    assert IDLE_SECONDS == 60 * MINUTE


@pytest.mark.parametrize(
    ("minute", "left"),
    [(31, "a b c"), (59.9, "a b c"), (60, "a - c"), (79.9, "a - c"), (80, "a - -"), (89.9, "a - -"), (90, "- - -")],
)
def test_sweeping_frees_the_memory_of_those_who_are_away_and_of_nobody_else(minute, left):
    clock = Clock()
    start = clock.now
    store = photos(clock)
    alive = {}
    for at, owner in ((0, "a"), (0, "b"), (20, "c")):
        clock.now = start + at * MINUTE
        new = photo(owner)
        alive[owner] = weakref.ref(new.pixels)
        store.put(owner, new)
        del new
    clock.now = start + 30 * MINUTE
    store.get("a")
    clock.now = start + minute * MINUTE
    store.sweep()
    assert " ".join("-" if alive[owner]() is None else owner for owner in "abc") == left


def test_owners_do_not_see_each_other():
    store = photos(Clock())
    store.put("a", photo("of a"))
    assert held(store, "a", "b", "", "A") == "of a - - -"
    store.put("b", photo("of b"))
    assert held(store, "a", "b") == "of a of b"
    store.drop("a")
    assert held(store, "a", "b") == "- of b"


def test_a_new_photo_takes_the_place_of_the_old_one():
    store = photos(Clock(), max_bytes=600)
    for name in ("first", "second", "third"):
        store.put("a", photo(name, 600))
    assert held(store, "a") == "third"


@pytest.mark.parametrize(
    ("steps", "left"),
    [
        ("put a, put b, put c", "a b c"),
        ("put a, put b, put c, put d", "- b c d"),
        ("put a, put b, put c, put d, put e", "- - c d e"),
        ("put a, put b, put c, see a, put d", "a - c d"),
        ("put a, put b, put c, see a, see b, put d", "a b - d"),
        ("put a, put b, put c, put a, put d", "a - c d"),
        ("put a, put b, put c, drop b, put d", "a - c d"),
        ("put a, put b, put c, put b", "a b c"),
        ("put a, put b, big c", "- - c"),
        ("put a, huge b", "- b"),
        ("huge a", "a"),
        ("huge a, put b", "- b"),
        ("put a, wide b", "a b"),
        ("put a, put b, wide c", "- b c"),
    ],
)
def test_beyond_the_room_there_is_those_away_longest_make_way(steps, left):
    clock = Clock()
    store = photos(clock, max_bytes=900)
    sizes = {"put": 300, "wide": 600, "big": 900, "huge": 3000}
    for step in steps.split(", "):
        clock.now += 1
        verb, owner = step.split()
        if verb == "see":
            store.get(owner)
        elif verb == "drop":
            store.drop(owner)
        else:
            store.put(owner, photo(owner, sizes[verb]))
    assert held(store, *("abcde"[: len(left.split())])) == left


def test_many_threads_share_a_store_without_mixing_or_outgrowing_it():
    store = photos(max_bytes=300 * 20)
    wrong: list[object] = []
    found: Counter[bool] = Counter()

    def visit(me: int) -> None:
        try:
            for turn in range(150):
                owner = f"{me}-{turn % 5}"
                store.put(owner, photo(owner))
                seen = store.get(owner)
                found[seen is not None] += 1
                if seen is not None and seen.name != owner:
                    wrong.append((owner, seen.name))
                if turn % 7 == 0:
                    store.drop(owner)
                store.sweep()
        except Exception as error:
            wrong.append(error)

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=visit, args=(n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
    finally:
        sys.setswitchinterval(before)
    assert wrong == []
    assert found[True] > 100
    left = [owner for owner in (f"{me}-{turn}" for me in range(8) for turn in range(5)) if store.get(owner)]
    assert 0 < len(left) <= 20


@pytest.mark.parametrize(
    ("steps", "gone"),
    [
        ("a", ""),
        ("a drop", "a"),
        ("a drop drop", "a"),
        ("a a", "a"),
        ("a wait", "a"),
        ("a b", "a"),  # there is room for one
    ],
)
def test_what_is_let_go_is_told_so_once(steps, gone):
    clock, told = Clock(), list[str]()
    store = Store[str](lambda _: 1, clock, 1, told.append)
    for step in steps.split():
        if step == "drop":
            store.drop("a")
        elif step == "wait":
            clock.now += IDLE_SECONDS
            store.sweep()
        else:
            store.put(step, step)
    assert " ".join(told) == gone


def test_what_the_engine_said_of_a_photo_is_forgotten_with_it(monkeypatch: pytest.MonkeyPatch):
    gone: list[str] = []
    monkeypatch.setattr(engine, "forget", gone.append)
    PHOTOS.put("owner of the test", photo("first"))
    PHOTOS.put("owner of the test", photo("second"))
    assert gone == ["first"]
    PHOTOS.drop("owner of the test")
    assert gone == ["first", "second"]
