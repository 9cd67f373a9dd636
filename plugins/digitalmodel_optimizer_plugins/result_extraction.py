"""Plugin ``result-extraction``: many results of a model in few native calls.

The engine asks for one column at a time. This plugin is told beforehand what will be asked and
reads it with one ``OrcFxAPI.GetMultipleTimeHistories`` per period and one ``RangeGraph`` per
variable and range. A request that OrcFxAPI refuses is left out and the rest is read; the engine
then meets the error itself. Before a batched read is believed, one of its columns (or all, if
``orcaflex.parallel.verify`` says so) is read in the engine's way and compared: where the two differ
(models solved in the frequency domain, for one), nothing is answered, and a warning tells.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Generator, Hashable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from digitalmodel_optimizer.plugin import (
    FileResult,
    PluginOptions,
    Request,
    RequestKind,
    Settings,
    hookimpl,
)

_LICENSING_ERROR = 25  # of OrcFxAPI's StatusCode
_of_this_file = threading.local()


@hookimpl
def optimizer_options() -> PluginOptions:
    return PluginOptions("Reads all columns of a model in few native calls.")


@hookimpl(wrapper=True)
def optimizer_process_file() -> Generator[None, FileResult, FileResult]:
    """Add the warnings on reads that were not believed."""
    doubts: list[str] = []
    _of_this_file.doubts = doubts
    result = yield
    if doubts and isinstance(result, FileResult):
        return replace(result, warnings=(*result.warnings, *doubts))
    return result


@hookimpl
def optimizer_read_results(requests: Sequence[Request], settings: Settings) -> list[Any]:
    """One answer per request, None where the engine has to ask itself."""
    answers: list[Any] = [None] * len(requests)
    by_period: dict[Hashable, list[int]] = {}
    for place, request in enumerate(requests):
        if request.kind is RequestKind.TIME_HISTORY:
            by_period.setdefault(_period_key(request.period), []).append(place)
        else:
            answers[place] = _range_graph(request)
    for places in by_period.values():
        chosen = [requests[place] for place in places]
        histories = _read_time_histories(chosen, settings.verify)
        for place, history in zip(places, histories, strict=True):
            answers[place] = history
    return answers


def _read_time_histories(requests: Sequence[Request], verify: str) -> list[Any]:
    """Time histories of one period, each a float64 array of samples, or None."""
    if verify != "off" and len(requests) == 1 and _is_static(requests[0].period):
        return [None]  # to verify it would cost as much as to let the engine ask
    valid = [place for place, request in enumerate(requests) if _names_a_variable(request)]
    columns = _read([requests[place] for place in valid])
    answers: list[Any] = [None] * len(requests)
    for place, column in zip(valid, columns, strict=True):
        answers[place] = column
    doubt = None if verify == "off" else _doubt(requests, answers, every=verify == "all")
    if doubt is None:
        return answers
    getattr(_of_this_file, "doubts", []).append(doubt)
    return [None] * len(requests)


def _read(requests: Sequence[Request]) -> list[Any]:
    """All of ``requests`` at once; halved where the call fails, to keep what can be read."""
    if not requests:
        return []
    if len(requests) == 1:
        return [_alone(requests[0])]
    import OrcFxAPI

    def at_once() -> Any:
        specifications = [
            OrcFxAPI.TimeHistorySpecification(
                request.model_object, request.variable, request.object_extra
            )
            for request in requests
        ]
        return OrcFxAPI.GetMultipleTimeHistories(specifications, requests[0].period)

    table = _answer(at_once)
    if getattr(table, "shape", ())[1:] != (len(requests),):
        half = len(requests) // 2
        return _read(requests[:half]) + _read(requests[half:])
    # (samples, requests) -> one contiguous array per request, as TimeHistory returns them
    return list(np.ascontiguousarray(table.T))


def _answer(ask: Callable[..., Any], *arguments: Any) -> Any:
    """What ``ask`` returns, None where it fails.

    A lost licence or a lack of memory is not the question's fault: no other question would fare
    better, so it goes through, and the core tries the whole file again.
    """
    try:
        return ask(*arguments)
    except MemoryError:
        raise
    except Exception as error:
        if getattr(error, "status", None) == _LICENSING_ERROR:
            raise
        return None


def _alone(request: Request) -> Any:
    return _answer(
        request.model_object.TimeHistory, request.variable, request.period, request.object_extra
    )


def _doubt(requests: Sequence[Request], answers: Sequence[Any], *, every: bool) -> str | None:
    """Why what was read at once is not to be believed, as a sentence; None if nothing says so.

    The first column, or every one, has to equal the same column read alone, bit by bit. In the
    engine's way: a provider may have static results of another source than histories.
    """
    places = [place for place, answer in enumerate(answers) if answer is not None]
    for place in places if every else places[:1]:
        request = requests[place]
        if _is_static(request.period):
            alone = _static_result(request)
        elif len(requests) == 1:  # it was read alone
            continue
        else:
            alone = _alone(request)
        if not _same(alone, answers[place]):
            return _in_words(request, alone, answers[place])
    return None


def _in_words(request: Request, alone: Any, answer: Any) -> str:
    name = _answer(lambda: request.model_object.name) or "an object"
    return (
        f"{name}, {request.variable}: read alone and read with other columns it differs "
        f"({_where(alone, answer)}); the host reads each column of this period by itself"
    )


def _where(alone: Any, answer: Any) -> str:
    """The first sample that differs, with both values, or what else does."""
    kinds = f"{type(alone).__name__} and {type(answer).__name__}"
    if not (isinstance(alone, np.ndarray) and isinstance(answer, np.ndarray)):
        return kinds
    if alone.shape != answer.shape:
        return f"{len(alone)} and {len(answer)} samples"
    if alone.dtype != answer.dtype:
        return f"{alone.dtype} and {answer.dtype}"
    sample = next(i for i in range(len(alone)) if alone[i].tobytes() != answer[i].tobytes())
    return f"{alone[sample]} and {answer[sample]} at sample {sample}"


def _same(alone: Any, answer: Any) -> bool:
    """Types count too: a mean of float32 is another number than one of float64."""
    return (
        type(alone) is type(answer) is np.ndarray
        and (alone.dtype, alone.shape) == (answer.dtype, answer.shape)
        and alone.tobytes() == answer.tobytes()
    )


def _is_static(period: Any) -> bool:
    import OrcFxAPI

    static = getattr(getattr(OrcFxAPI, "PeriodNum", None), "StaticState", None)
    return static is not None and isinstance(period, int) and period == static


def _static_result(request: Request) -> Any:
    """As a history of one sample; None where it is no float."""
    value = _answer(request.model_object.StaticResult, request.variable, request.object_extra)
    return np.array([value]) if isinstance(value, float) else None


def _names_a_variable(request: Request) -> bool:
    """Whether the object knows the variable; one unknown name would fail the whole read."""
    identify = getattr(request.model_object, "varID", None)
    if identify is None:  # this provider has no identifiers
        return True
    return _answer(lambda: identify(request.variable) or True) is not None


def _range_graph(request: Request) -> Any:
    return _answer(
        request.model_object.RangeGraph,
        request.variable,
        request.period,
        request.object_extra,
        request.arclength_range,
    )


def _period_key(period: Any) -> Hashable:
    """Equal periods give equal keys; OrcFxAPI's Period is a ctypes structure."""
    if isinstance(period, ctypes.Structure):
        return bytes(period)
    if period is None or isinstance(period, int):
        return period
    fields = getattr(period, "__dict__", None)
    if fields and all(isinstance(value, (int, float)) for value in fields.values()):
        return (type(period), *sorted(fields.items()))
    return ("this one", id(period))
