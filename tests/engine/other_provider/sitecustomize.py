# ruff: noqa: ANN002, ANN003, ANN202, ANN204, ANN205
"""Lets the genuine OrcFxAPI be imported where there is no Windows, and takes all of it away again.

Python imports this at its start when this folder is on PYTHONPATH; so do spawned workers.
"""

import ctypes
import importlib.machinery
import sys


class _Anything:
    """A Windows library whose every function exists and does nothing."""

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        value = (lambda *_: 0) if name[0].isupper() and name != "OleAut32" else _Anything()
        setattr(self, name, value)
        return value


def _callback_class(result, *arguments, **_):
    members = {"_flags_": 1, "_restype_": result, "_argtypes_": arguments}
    return type("Callback", (ctypes._CFuncPtr,), members)


class _Loader:
    def __init__(self, genuine):
        self.genuine = genuine

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        ctypes.windll, ctypes.WINFUNCTYPE = _Anything(), _callback_class
        try:
            self.genuine.exec_module(module)
        finally:
            del ctypes.windll, ctypes.WINFUNCTYPE

    def __getattr__(self, name):
        return getattr(self.genuine, name)


class _Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name != "OrcFxAPI" or hasattr(ctypes, "windll"):
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        if spec is not None:
            spec.loader = _Loader(spec.loader)
        return spec


sys.meta_path.insert(0, _Finder)
