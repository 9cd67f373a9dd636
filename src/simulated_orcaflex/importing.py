"""The import hook: the genuine OrcFxAPI module, loaded on top of the stand-in.

Kept light: an interpreter that has the stand-in switched on imports this module at its start.
"""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

WRAPPER = "OrcFxAPI"
CONFIGURATION = "OrcFxAPIConfig"


class _ConfigurationLoader:
    """Makes the module that the wrapper asks for the native library."""

    def create_module(self, spec: "ModuleSpec") -> None:
        return None

    def exec_module(self, module: "ModuleType") -> None:
        from . import configuration

        configuration.fill(module)


class _WrapperLoader:
    """Runs the wrapper's own loader, with the Windows parts of ctypes in place meanwhile."""

    def __init__(self, loader: object) -> None:
        self._loader = loader

    def __getattr__(self, name: str) -> object:
        # get_source, get_filename and the like: tracebacks and inspect work as ever.
        return getattr(self._loader, name)

    def create_module(self, spec: "ModuleSpec") -> "ModuleType | None":
        create = getattr(self._loader, "create_module", None)
        module: ModuleType | None = create(spec) if create is not None else None
        return module

    def exec_module(self, module: "ModuleType") -> None:
        from .configuration import windows_parts_of_ctypes

        with windows_parts_of_ctypes():
            self._loader.exec_module(module)  # type: ignore[attr-defined]


class StandInFinder:
    """A meta-path finder that knows two names and leaves all others alone."""

    def __init__(self) -> None:
        self._asking = False

    def find_spec(
        self,
        name: str,
        path: "Sequence[str] | None" = None,
        target: "ModuleType | None" = None,
    ) -> "ModuleSpec | None":
        if name == CONFIGURATION:
            from importlib.machinery import ModuleSpec

            return ModuleSpec(name, _ConfigurationLoader(), origin="simulated_orcaflex")  # type: ignore[arg-type]
        if name != WRAPPER or self._asking:
            return None
        spec = self._spec_from_others(name, path, target)
        if spec is None or spec.loader is None:
            raise ModuleNotFoundError(
                "the stand-in for OrcaFlex is switched on (SIMULATED_ORCAFLEX), but Orcina's "
                "Python wrapper is not installed; install it with: pip install OrcFxAPI",
                name=WRAPPER,
            )
        spec.loader = _WrapperLoader(spec.loader)  # type: ignore[assignment]
        return spec

    def _spec_from_others(
        self, name: str, path: "Sequence[str] | None", target: "ModuleType | None"
    ) -> "ModuleSpec | None":
        # Another finder may itself ask the whole meta path again; then we must stand aside.
        self._asking = True
        try:
            for finder in sys.meta_path:
                find = getattr(finder, "find_spec", None)
                if finder is self or find is None:
                    continue
                spec: ModuleSpec | None = find(name, path, target)
                if spec is not None:
                    return spec
        finally:
            self._asking = False
        return None


def installed() -> bool:
    """Whether the finder is on the meta path."""
    return any(isinstance(finder, StandInFinder) for finder in sys.meta_path)


def install() -> None:
    """Put the finder first on the meta path; a second call does nothing."""
    if installed():
        return
    if WRAPPER in sys.modules and not _is_ours(sys.modules.get(CONFIGURATION)):
        raise RuntimeError(
            "OrcFxAPI was imported before the stand-in was switched on; "
            "call simulated_orcaflex.enable() first"
        )
    sys.meta_path.insert(0, StandInFinder())


def uninstall() -> None:
    """Remove the finder, and forget the modules that were loaded through it."""
    sys.meta_path[:] = [f for f in sys.meta_path if not isinstance(f, StandInFinder)]
    if _is_ours(sys.modules.get(CONFIGURATION)):
        sys.modules.pop(WRAPPER, None)
        sys.modules.pop(CONFIGURATION, None)


def _is_ours(module: "ModuleType | None") -> bool:
    return bool(getattr(module, "simulated", False))
