"""Shadows OrcFxAPI's own module of this name: the native library is the one beside it."""


def lib():
    import other_library

    return other_library.LIBRARY


def getLibPath():  # noqa: N802 - OrcFxAPI's names
    return __file__


def setLibPath(value, childProcessInherit=False):  # noqa: N802, N803
    del value, childProcessInherit


def getLibHandle():  # noqa: N802
    return None


def setLibHandle(value):  # noqa: N802
    del value
