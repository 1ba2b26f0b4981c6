"""Patches: the original first and once, its errors its own, and ours never felt."""

from __future__ import annotations

import asyncio
import builtins
import functools
import sys
import types
from collections.abc import Iterator

import pytest

from runferry.live.hooks.patching import Patches


class Counted:
    failed = 0

    def fail(self) -> None:
        self.failed += 1


@pytest.fixture
def module() -> Iterator[types.ModuleType]:
    """A module of an SDK, with a class that says what it was asked."""
    made = types.ModuleType("sdk_of_somebody")

    class Writer:
        def __init__(self) -> None:
            self.calls: list[int] = []

        def write(self, value: int) -> int:
            if value < 0:
                raise LookupError(value)
            self.calls.append(value)
            return value * 2

        async def later(self, value: int) -> int:
            return value + 1

    made.Writer = Writer  # type: ignore[attr-defined]
    sys.modules[made.__name__] = made
    yield made
    del sys.modules[made.__name__]


def test_the_original_is_called_once_and_its_result_is_its_own(module: types.ModuleType) -> None:
    counted, seen = Counted(), []
    patches = Patches(counted.fail)
    patches.after("sdk_of_somebody", "Writer", "write", lambda *found: seen.append(found))
    writer = module.Writer()
    bound = writer.write
    patches.on()
    patches.on()
    assert (writer.write(1), writer.write(value=2), bound(3)) == (2, 4, 6)
    assert writer.calls == [1, 2, 3]
    assert [found[1:] for found in seen] == [(2, 1)]  # `value=2` is no argument of this `seen`
    assert counted.failed == 1
    patches.off()


def test_an_error_of_the_original_is_raised_and_not_captured(module: types.ModuleType) -> None:
    seen: list[object] = []
    patches = Patches(Counted().fail)
    patches.after("sdk_of_somebody", "Writer", "write", lambda *found: seen.append(found))
    patches.on()
    with pytest.raises(LookupError):
        module.Writer().write(-1)
    assert not seen
    patches.off()


def test_an_error_of_ours_is_counted_and_never_raised(module: types.ModuleType) -> None:
    counted = Counted()
    patches = Patches(counted.fail)

    def broken(*_: object) -> None:
        raise ZeroDivisionError

    patches.after("sdk_of_somebody", "Writer", "write", broken)
    patches.on()
    assert module.Writer().write(4) == 8
    assert counted.failed == 1
    patches.off()


def test_off_puts_back_what_was_there(module: types.ModuleType) -> None:
    before = dict(module.Writer.__dict__)
    finders, importer = list(sys.meta_path), builtins.__import__
    patches = Patches(Counted().fail)
    patches.after("sdk_of_somebody", "Writer", "write", lambda *_: None)
    patches.on()
    assert module.Writer.__dict__["write"] is not before["write"]
    assert builtins.__import__ is importer
    patches.off()
    assert dict(module.Writer.__dict__) == before
    assert sys.meta_path == finders


def test_a_patch_of_somebody_else_over_ours_stays(module: types.ModuleType) -> None:
    seen: list[object] = []
    patches = Patches(Counted().fail)
    patches.after("sdk_of_somebody", "Writer", "write", lambda *found: seen.append(found))
    patches.on()
    ours = module.Writer.write
    module.Writer.write = lambda self, value: ours(self, value) + 1
    patches.off()
    assert module.Writer().write(1) == 3
    assert not seen  # it still calls ours, which is off


def test_a_call_is_seen_once_after_off_and_on_below_a_patch_of_somebody_else(
    module: types.ModuleType,
) -> None:
    seen: list[object] = []
    patches = Patches(Counted().fail)
    patches.after("sdk_of_somebody", "Writer", "write", lambda *found: seen.append(found[1:]))
    for _ in range(2):
        patches.on()
        ours = module.Writer.write
        module.Writer.write = functools.wraps(ours)(
            lambda self, value, ours=ours: ours(self, value)
        )
        patches.off()
    patches.on()
    assert module.Writer().write(1) == 2
    assert seen == [(2, 1)]
    patches.off()


def test_two_hooks_on_one_method_go_off_and_on_in_any_order(module: types.ModuleType) -> None:
    original, seen = module.Writer.write, list[str]()
    first, second = Patches(Counted().fail), Patches(Counted().fail)
    for patches, name in ((first, "first"), (second, "second")):
        patches.after("sdk_of_somebody", "Writer", "write", lambda *_, name=name: seen.append(name))
    for _ in range(3):
        first.on()
        second.on()
        bound = module.Writer().write
        assert module.Writer().write(1) == 2
        assert sorted(seen) == ["first", "second"]
        seen.clear()
        first.off()
        second.off()
        assert module.Writer.write is original
        assert bound(1) == 2
        assert not seen


def test_a_name_that_was_bound_while_it_was_on_is_seen_when_it_is_on_again(
    module: types.ModuleType,
) -> None:
    seen: list[object] = []
    patches = Patches(Counted().fail)
    patches.after("sdk_of_somebody", "Writer", "write", lambda *found: seen.append(found[1:]))
    patches.on()
    bound = module.Writer().write
    patches.off()
    patches.on()
    assert bound(1) == 2
    assert seen == [(2, 1)]
    patches.off()


def test_a_coroutine_stays_one(module: types.ModuleType) -> None:
    seen: list[object] = []
    patches = Patches(Counted().fail)
    patches.after("sdk_of_somebody", "Writer", "later", lambda *found: seen.append(found[1:]))
    patches.on()
    assert asyncio.run(module.Writer().later(1)) == 2
    assert seen == [(2, 1)]
    patches.off()


def test_a_module_that_is_imported_later_is_patched_then() -> None:
    seen: list[object] = []
    patches = Patches(Counted().fail)
    patches.after(
        "wsgiref.headers", "Headers", "__setitem__", lambda *found: seen.append(found[2:])
    )
    sys.modules.pop("wsgiref.headers", None)
    patches.on()
    from wsgiref.headers import Headers

    Headers()["a"] = "b"
    assert seen == [("a", "b")]
    patches.off()
    Headers()["c"] = "d"
    assert len(seen) == 1


def test_two_hooks_on_one_method_each_see_each_call_once(module: types.ModuleType) -> None:
    first: list[object] = []
    second: list[object] = []
    one, two = Patches(Counted().fail), Patches(Counted().fail)
    one.after("sdk_of_somebody", "Writer", "write", lambda *found: first.append(found))
    two.after("sdk_of_somebody", "Writer", "write", lambda *found: second.append(found))
    one.on()
    two.on()
    writer = module.Writer()
    writer.write(1)
    one.off()  # below the other: it stays where it is, and is silent
    writer.write(2)
    two.off()
    writer.write(3)
    assert (len(first), len(second)) == (1, 2)
    assert writer.calls == [1, 2, 3]


def test_around_looks_before_and_after_and_a_broken_half_is_not_felt(
    module: types.ModuleType,
) -> None:
    counted, seen = Counted(), []

    def asked(writer: object, value: int) -> None:
        seen.append(("asked", value))
        if value == 2:
            raise ZeroDivisionError

    patches = Patches(counted.fail)
    patches.around(
        "sdk_of_somebody", "Writer", "write", asked, lambda *found: seen.append(found[1:])
    )
    patches.on()
    writer = module.Writer()
    assert (writer.write(1), writer.write(2)) == (2, 4)
    with pytest.raises(LookupError):
        writer.write(-1)
    assert seen == [("asked", 1), (2, 1), ("asked", 2), (4, 2), ("asked", -1)]
    assert counted.failed == 1
    patches.off()


def test_a_class_that_is_met_only_later_is_covered_and_put_back(module: types.ModuleType) -> None:
    seen: list[object] = []
    patches = Patches(Counted().fail)
    original = module.Writer.__dict__["write"]
    patches.cover(module.Writer, "write", lambda *found: seen.append(found[1:]))
    assert module.Writer.__dict__["write"] is original  # they are not on
    patches.on()
    for _ in range(2):
        patches.cover(module.Writer, "write", lambda *found: seen.append(found[1:]))
    assert module.Writer().write(1) == 2
    assert seen == [(2, 1)]
    patches.off()
    assert module.Writer.__dict__["write"] is original
