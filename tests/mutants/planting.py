"""Planting a defect into one module of the product, for one process: the source on disk stays as it is."""

import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any


@dataclass(frozen=True)
class Change:
    """One passage of a module's source, and what stands there in the mutant."""

    module: str
    before: str
    after: str


class NotPlanted(Exception):
    """The passage is not in the source exactly once: the product has changed, and the mutant must follow."""


class _Loader(importlib.machinery.SourceFileLoader):
    """Compiles the changed source; never from a cache, never into one."""

    def __init__(self, name: str, path: str, changes: Sequence[Change]) -> None:
        super().__init__(name, path)
        self._changes = changes

    def get_code(self, fullname: str) -> Any:
        text = self.get_data(self.path).decode("utf-8")
        return compile(changed(text, self._changes), self.path, "exec", dont_inherit=True)


class _Finder(importlib.abc.MetaPathFinder):
    def __init__(self, changes: Sequence[Change]) -> None:
        self._changes = changes

    def find_spec(self, fullname: str, path: Any, target: ModuleType | None = None) -> Any:
        mine = [one for one in self._changes if one.module == fullname]
        found = importlib.machinery.PathFinder.find_spec(fullname, path) if mine else None
        if found is None or found.origin is None:
            return None
        loader = _Loader(fullname, found.origin, mine)
        return importlib.util.spec_from_file_location(
            fullname, found.origin, loader=loader, submodule_search_locations=found.submodule_search_locations
        )


def changed(text: str, changes: Sequence[Change]) -> str:
    """The source with the changes. Raises NotPlanted."""
    for one in changes:
        if text.count(one.before) != 1:
            raise NotPlanted(f"{one.module} holds {text.count(one.before)} times: {one.before!r}")
        text = text.replace(one.before, one.after)
    return text


def plant(changes: Sequence[Change]) -> None:
    """Have these modules loaded changed from now on. Raises NotPlanted where one is loaded already."""
    loaded = [one.module for one in changes if one.module in sys.modules]
    if loaded:
        raise NotPlanted(f"{', '.join(loaded)} is loaded already; plant first")
    sys.meta_path.insert(0, _Finder(changes))
