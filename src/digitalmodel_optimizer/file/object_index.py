"""A model's index of objects, made by one enumeration.

For every column the engine lists all objects of the model in a DataFrame, with types and names,
and looks whether one name is in it. OrcFxAPI enumerates a model by name; that is all there is to it
until somebody asks the index for anything else, and then the engine's own function makes it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from digitalmodel_optimizer.tables.lazy_table import LazyLabels, LazyTable

_TABLE, _NAMES = "object_df", "ObjectName"  # of the engine's get_model_objects


class _Objects(LazyTable):
    """The index's DataFrame."""

    def __init__(self, names: Sequence[str], make: Callable[[], Any]) -> None:
        super().__init__()
        self._names = names
        self._make = make  # type: ignore[method-assign]

    def __getitem__(self, key: Any) -> Any:
        if self._table is None and type(key) is str and key == _NAMES:
            return LazyLabels(self._names, lambda: self.materialize()[_NAMES])
        return super().__getitem__(key)


class ObjectIndex:
    """The engine's answer (``answer``), and the names in it, empty where they are not known.

    A model that is no mapping of names (an older OrcFxAPI) is listed as the engine does it.
    """

    def __init__(self, model: Any, engine_listing: Callable[[Any], Any]) -> None:
        self.names: Mapping[str, Any] = {}
        if not isinstance(model, Mapping):
            self.answer = engine_listing(model)
            return
        self.names = dict.fromkeys(model)
        self.answer = {_TABLE: _Objects(list(self.names), lambda: engine_listing(model)[_TABLE])}
