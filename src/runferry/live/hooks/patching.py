"""Patches of classes: the original first and once, and what we do behind it never raises.

They are put on the class, so names that were imported before and objects that exist already are
concerned too. A class of a module that is not imported yet is patched when it is: a finder on
`sys.meta_path` sees it come, and nothing is imported for our sake.
"""

from __future__ import annotations

import functools
import inspect
import sys
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from runferry._native import JournalLane

Seen = Callable[..., None]
"""Called with the object, then (once it has returned) the original's result, and its arguments."""
Lanes = Mapping[int, JournalLane]
"""Of objects that are met often: where what they are given goes, by their ids."""
_SWITCH = "__runferry_switch__"
_NOTHING = object()


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What a hook wants of a method: see `Patches`."""

    of_class: str
    method: str
    asked: Seen | None = None
    seen: Seen | None = None
    lanes: Lanes | None = None


class _Switch:
    """Of one patch: whether it does more than call the original."""

    def __init__(self, original: Callable[..., Any]) -> None:
        self.is_on = True
        self.original = original
        self.patch: Callable[..., Any] | None = None
        self.is_left = False  # somebody patched over it: it stays there, and off for good

    def below(self) -> Callable[..., Any]:
        """The original, or somebody's patch: no patch of ours that was left."""
        found = self.original
        while True:
            switch: _Switch | None = getattr(found, _SWITCH, None)
            # whoever wraps a patch of ours has its attributes too
            if switch is None or switch.patch is not found or not switch.is_left:
                return found
            found = switch.original


class Patches:
    """Patches of one hook, which go on and come off together."""

    def __init__(self, failed: Callable[[], object]) -> None:
        """`failed` counts what our own half could not do."""
        self._failed = failed
        self._wanted: dict[str, list[_Wanted]] = {}
        self._put: list[tuple[type, str, _Switch]] = []
        self._switches = weakref.WeakSet[_Switch]()  # also of names that were bound while it was on
        self._finder = _Finder(self._imported)
        self.is_on = False

    def after(self, module: str, of_class: str, method: str, seen: Seen) -> None:
        """`seen` runs behind a method of a class, if that module has them.

        Of several names with `|` between them it is the first that the class has.
        """
        self._wanted.setdefault(module, []).append(_Wanted(of_class, method, None, seen))

    def record(self, module: str, of_class: str, method: str, lanes: Lanes, seen: Seen) -> None:
        """As `after`, of a method whose one argument goes into a lane as it is serialized.

        `seen` runs where there is none for the object, or it does not take it.
        """
        self._wanted.setdefault(module, []).append(_Wanted(of_class, method, None, seen, lanes))

    def before(self, module: str, of_class: str, method: str, asked: Seen) -> None:
        """`asked` runs before a method, with its arguments: only where the user wants a change."""
        self._wanted.setdefault(module, []).append(_Wanted(of_class, method, asked, None))

    def around(self, module: str, of_class: str, method: str, asked: Seen, seen: Seen) -> None:
        """`asked` as in `before`, which looks at what may be gone or changed afterwards, and then
        `seen` as in `after`.
        """
        self._wanted.setdefault(module, []).append(_Wanted(of_class, method, asked, seen))

    def cover(self, kind: type, method: str, seen: Seen) -> None:
        """`seen` runs behind a class's own method: of a class that is met only now."""
        if self.is_on:
            self._cover(kind, method, _Wanted(kind.__name__, method, None, seen))

    def on(self) -> None:
        """Patch what is imported, and whatever will be."""
        if self.is_on:
            return
        self.is_on = True
        for switch in self._switches:
            switch.is_on = True
        self._finder.names = frozenset(self._wanted)
        sys.meta_path.insert(0, self._finder)
        for name in self._wanted:
            module = sys.modules.get(name)
            if module is not None:
                self._imported(module)

    def off(self) -> None:
        """Put the originals back, except where somebody else has patched over ours since."""
        self.is_on = False
        if self._finder in sys.meta_path:
            sys.meta_path.remove(self._finder)
        for switch in self._switches:
            switch.is_on = False
        for kind, method, switch in self._put:
            if kind.__dict__.get(method) is switch.patch:
                setattr(kind, method, switch.below())
            else:  # when this is on again there is another one above it
                switch.is_left = True
                self._switches.discard(switch)
        self._put.clear()

    def _imported(self, module: ModuleType) -> None:
        for wanted in self._wanted.get(module.__name__, ()):
            kind: type | None = getattr(module, wanted.of_class, None)
            names = wanted.method.split("|")
            found = [] if kind is None else [name for name in names if name in kind.__dict__]
            if kind is not None and found:
                self._cover(kind, found[0], wanted)

    def _cover(self, kind: type, method: str, wanted: _Wanted) -> None:
        original = kind.__dict__.get(method)
        if not inspect.isfunction(original):
            return
        if not any(put[:2] == (kind, method) for put in self._put):
            switch = _Switch(original)
            switch.patch = self._patch(switch, wanted)
            setattr(switch.patch, _SWITCH, switch)
            setattr(kind, method, switch.patch)
            self._put.append((kind, method, switch))
            self._switches.add(switch)

    def _patch(self, switch: _Switch, wanted: _Wanted) -> Callable[..., Any]:
        original = switch.original
        asked, seen, lanes = wanted.asked, wanted.seen, wanted.lanes

        def ours(half: Seen | None, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            if half is None or not switch.is_on:  # a name that was bound while it was
                return
            try:
                half(*args, **kwargs)
            except Exception:  # noqa: BLE001  training goes on; that we missed something is counted
                self._failed()

        if inspect.iscoroutinefunction(original):

            @functools.wraps(original)
            async def patched(*args: Any, **kwargs: Any) -> Any:
                ours(asked, args, kwargs)
                result = await original(*args, **kwargs)
                ours(seen, (args[0], result, *args[1:]), kwargs)
                return result

            return patched

        @functools.wraps(original)
        def at_length(*args: Any, **kwargs: Any) -> Any:
            ours(asked, args, kwargs)
            result = original(*args, **kwargs)
            ours(seen, (args[0], result, *args[1:]), kwargs)
            return result

        if asked is not None or seen is None:
            return at_length

        # what is called for every value has one argument: these are four times as quick, and more
        if lanes is None:

            @functools.wraps(original)
            def quick(one: Any, first: Any = _NOTHING, /, *more: Any, **named: Any) -> Any:
                if first is _NOTHING or more or named:
                    return at_length(one, *(() if first is _NOTHING else (first, *more)), **named)
                result = original(one, first)
                if switch.is_on:
                    try:
                        seen(one, result, first)
                    except Exception:  # noqa: BLE001  as in `ours`
                        self._failed()
                return result

        else:

            @functools.wraps(original)
            def quick(one: Any, first: Any = _NOTHING, /, *more: Any, **named: Any) -> Any:
                if first is _NOTHING or more or named:
                    return at_length(one, *(() if first is _NOTHING else (first, *more)), **named)
                result = original(one, first)
                if switch.is_on:
                    try:
                        lane = lanes.get(id(one))
                        if lane is None or not lane.put(first.SerializeToString()):
                            seen(one, result, first)
                    except Exception:  # noqa: BLE001  as in `ours`
                        self._failed()
                return result

        return quick


class _Finder(MetaPathFinder):
    """Finds nothing itself: looks at what others find under some names, once it is executed."""

    def __init__(self, imported: Callable[[ModuleType], None]) -> None:
        self.names: frozenset[str] = frozenset()
        self._imported = imported

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The spec of another finder, whose loader then tells us."""
        if fullname not in self.names:
            return None
        behind = sys.meta_path[sys.meta_path.index(self) + 1 :] if self in sys.meta_path else []
        for finder in behind:
            spec = finder.find_spec(fullname, path, target)
            if spec is not None:
                if spec.loader is not None:
                    spec.loader = _Told(spec.loader, self._imported)
                return spec
        return None


class _Told(Loader):
    """Another loader, and a word to us when it is done."""

    def __init__(self, loader: Loader, imported: Callable[[ModuleType], None]) -> None:
        self._loader = loader
        self._told = imported

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """The other loader's."""
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        """Executed by the other loader, whose errors are its own."""
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        module.__loader__ = self._loader
        self._loader.exec_module(module)
        self._told(module)
