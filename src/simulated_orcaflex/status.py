"""The statuses that native functions give back, and the error that carries one."""

from __future__ import annotations

from enum import IntEnum


class Status(IntEnum):
    """Numbers as OrcaFlex's API documents them; only those that the stand-in can give."""

    OK = 0
    MODEL_HANDLE_ERROR = 3
    OBJECT_HANDLE_ERROR = 4
    INVALID_OBJECT_TYPE = 5
    FILE_NOT_FOUND = 6
    FILE_READ_ERROR = 7
    TIME_HISTORY_ERROR = 8
    NO_SUCH_NODE_NUM = 9
    INVALID_PERIOD = 12
    RANGE_GRAPH_ERROR = 14
    INVALID_OBJECT_EXTRA = 15
    NOT_ENOUGH_VARS = 16
    INVALID_VARS = 17
    UNRECOGNISED_VAR_NUM = 18
    INVALID_HANDLE = 19
    UNEXPECTED_ERROR = 20
    INVALID_INDEX = 21
    NO_SUCH_OBJECT = 23
    LICENSING_ERROR = 25
    UNRECOGNISED_VAR_NAME = 26
    OPERATION_CANCELLED = 29
    INVALID_DATA_NAME = 31
    INVALID_DATA_TYPE = 32
    INVALID_DATA_ACCESS = 33
    PERIOD_NOT_YET_STARTED = 37
    INVALID_MODEL_STATE = 39
    INVALID_PARAMETER = 49
    INVALID_FILE_TYPE = 52
    INVALID_ARCLENGTH_RANGE = 58
    VALUE_NOT_AVAILABLE = 59
    INVALID_VALUE = 60
    INVALID_FILE_FORMAT = 67
    THREAD_AFFINITY_ERROR = 68


class NativeError(Exception):
    """Ends a native function with a status; the text is what C_GetLastErrorStringW returns."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = int(status)
        self.text = text
