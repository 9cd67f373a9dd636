# ruff: noqa: ANN201, N802, N803
"""Shadows OrcFxAPI's own module of this name: the native library is the one beside it."""


def lib():
    import other_library

    return other_library.LIBRARY


def getLibPath():
    return __file__


def setLibPath(value, childProcessInherit=False):
    del value, childProcessInherit


def getLibHandle():
    return None


def setLibHandle(value):
    del value
