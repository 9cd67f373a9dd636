# ruff: noqa: ANN002, ANN201, ANN202, ANN204, N802
"""A second, independent native library: JSON files, formulas for results, and a log of its use.

``OTHER_PROVIDER_LOG`` names a folder to which each process appends what happens to its models:
made, loaded, thread count set, first read, destroyed, asked on a foreign thread. With
``OTHER_PROVIDER_WITHOUT`` set, the functions named there (comma-separated) do not exist. With
``OTHER_PROVIDER_LIES`` set, the last of several columns that are read at once is larger by as much.
"""

import functools
import json
import math
import os
import threading
import time
from types import SimpleNamespace

import numpy as np

VARIABLES = {
    5: ("X", "Y", "Rotation 1"),
    6: ("Effective Tension", "Bend Moment"),
    10: ("Tension",),
    1: (),
    3: ("Elevation",),
}
NO_SUCH_OBJECT, FILE_READ, NOT_FOUND, UNKNOWN_VARIABLE, AFFINITY, FORMAT = 23, 7, 6, 26, 68, 67
UNEXPECTED, INVALID, UNKNOWN_DATA, STRING = 12, 9, 8, 2
STATIC, WHOLE = 32004, 32003
NODES = np.linspace(0.0, 100.0, 6)
LIBRARY = SimpleNamespace()

_models = {}
_objects = {}
_lock = threading.Lock()
_numbers = iter(range(1000, 10**9))
_errors = threading.local()


class Refused(Exception):
    def __init__(self, status, text):
        self.status, self.text = status, text


class Model:
    def __init__(self, threads):
        with _lock:
            self.handle = next(_numbers)
            self.general, self.environment = next(_numbers), next(_numbers)
            _models[self.handle] = self
        self.owner = threading.get_ident()
        self.threads = threads if threads > 0 else os.cpu_count()
        self.content = None
        self.read = False
        self.objects = {}
        self.add("General", 1, self.general)
        self.add("Environment", 3, self.environment)
        self.tell("created")

    def add(self, name, kind, handle=None):
        with _lock:
            handle = handle or next(_numbers)
            _objects[handle] = (self, name, kind)
        self.objects[name] = handle

    def tell(self, event):
        folder = os.environ.get("OTHER_PROVIDER_LOG")
        if folder:
            line = {
                "at": time.monotonic(),
                "event": event,
                "model": f"{os.getpid()}-{self.handle}",
                "threads": self.threads,
            }
            with open(os.path.join(folder, f"{os.getpid()}.jsonl"), "a") as stream:
                stream.write(json.dumps(line) + "\n")


def plain(value):
    value = getattr(value, "_obj", value)
    if hasattr(value, "contents"):
        return value.contents if value else None
    return getattr(value, "value", value) if not hasattr(value, "_fields_") else value


def put(target, value):
    getattr(target, "_obj", target).value = value


def model_of(handle):
    number = plain(handle)
    model = _models.get(number) or _objects.get(number, (None,))[0]
    if model is None:
        raise Refused(INVALID, "Invalid handle")
    if model.owner != threading.get_ident():
        model.tell("breach")
        raise Refused(AFFINITY, "The model belongs to another thread")
    return model


def item_of(handle):
    model = model_of(handle)
    return model, _objects[plain(handle)][1], _objects[plain(handle)][2]


def exported(function):
    @functools.wraps(function)
    def call(*arguments):
        status = arguments[-1]
        try:
            result = function(*arguments[:-1])
        except Refused as refusal:
            _errors.text = refusal.text
            put(status, refusal.status)
            return 0
        except Exception as error:  # as a library would: a status, never an exception
            _errors.text = repr(error)
            put(status, UNEXPECTED)
            return 0
        put(status, 0)
        return result

    setattr(LIBRARY, function.__name__, call)
    return call


def special(name, value):
    setattr(LIBRARY, name, lambda: value)


for _place, _name in enumerate(("Default", "Ditto", "Undefined", "Null"), 1):
    special(f"Orcina{_name}Real", -float(_place) * 1e300)
special("OrcinaInfinity", 1e308)


def _last_error(buffer):
    text = getattr(_errors, "text", "")
    if buffer is not None:
        buffer.value = text
    return len(text) + 1


LIBRARY.C_GetLastErrorStringW = _last_error


@exported
def C_GetDLLVersionW(_required, version, enough):
    put(version, "11.6z")
    put(enough, 1)


@exported
def C_CreateModel2(handle, parameters):
    parameters = plain(parameters)
    put(handle, Model(parameters.ThreadCount if parameters is not None else -1).handle)


@exported
def C_DestroyModel(handle):
    model = model_of(handle)
    with _lock:
        del _models[model.handle]
        for number in model.objects.values():
            del _objects[number]
    model.tell("destroyed")


@exported
def C_GetModelProperty(handle, identifier, value):
    model = model_of(handle)
    answers = {0: 1, 3: model.general, 4: model.environment}
    put(value, answers.get(plain(identifier), 0))


@exported
def C_SetProgressHandler(handle, _callback):
    model_of(handle)


@exported
def C_SetCorrectExternalFileReferencesHandler(handle, _callback):
    model_of(handle)


@exported
def C_GetModelThreadCount(handle):
    return model_of(handle).threads


@exported
def C_SetModelThreadCount(handle, count):
    model = model_of(handle)
    model.threads = plain(count)
    model.tell("threads")


@exported
def C_GetBinaryFileTypeW(name, kind):
    put(kind, 2)
    if not os.path.exists(plain(name)):
        raise Refused(NOT_FOUND, "File not found")


@exported
def C_LoadSimulationW(handle, name):
    model = model_of(handle)
    try:
        with open(plain(name), encoding="utf-8") as stream:
            content = json.load(stream)
        assert content["kind"] == "other provider"
    except Exception as error:
        raise Refused(FORMAT, f"Not a file of this library: {plain(name)}") from error
    model.content = content
    for object_name, kind in content["objects"]:
        model.add(object_name, kind)
    model.tell("loaded")


@exported
def C_GetModelState(handle, state):
    put(state, 4 if model_of(handle).content else 0)


@exported
def C_GetSimulationTimeStatus(handle, times):
    content, times = model_of(handle).content, plain(times)
    times.StartTime, times.StopTime = content["start"], content["stop"]
    times.CurrentTime = content["stop"]


@exported
def C_GetSimulationComplete(handle, complete):
    model_of(handle)
    put(complete, 1)


def fill(info, model, name):
    info.ObjectHandle = model.objects[name]
    info.ObjectType = _objects[model.objects[name]][2]
    info.ObjectName = name


@exported
def C_ObjectCalledW(handle, name, info):
    model = model_of(handle)
    found = {known.lower(): known for known in model.objects}.get(plain(name).lower())
    if found is None:
        raise Refused(NO_SUCH_OBJECT, f"No such object: {plain(name)}")
    fill(plain(info), model, found)


@exported
def C_EnumerateObjectsW(handle, callback, count):
    model = model_of(handle)
    if callback:
        import ctypes

        info = type(callback)._argtypes_[1]._type_()
        for name in model.objects:
            fill(info, model, name)
            callback(model.handle, ctypes.pointer(info))
    put(count, len(model.objects))


@exported
def C_GetObjectTypeFromHandle(handle, kind):
    put(kind, item_of(handle)[2])


@exported
def C_GetObjectTypeNameW(handle, kind, buffer):
    model_of(handle)
    if buffer is not None:
        buffer.value = f"Type {plain(kind)}"
    return 20


@exported
def C_GetVarIDW(handle, name, identifier):
    _, item, kind = item_of(handle)
    if plain(name) not in VARIABLES.get(kind, ()):
        raise Refused(UNKNOWN_VARIABLE, f"{item} has no {plain(name)}")
    put(identifier, 1 + VARIABLES[kind].index(plain(name)))


@exported
def C_GetDataTypeW(handle, name, kind):
    item_of(handle)
    if plain(name).lower() != "name":
        raise Refused(UNKNOWN_DATA, f"Unrecognised data name: {plain(name)}")
    put(kind, STRING)


@exported
def C_DataRequiresIndexW(handle, _name, required):
    item_of(handle)
    put(required, 0)


@exported
def C_GetDataStringW(handle, _name, _index, buffer):
    text = item_of(handle)[1]
    if buffer is not None:
        buffer.value = text
    return len(text) + 1


def times_of(model, period):
    period = plain(period)
    content = model.content
    if period.PeriodNum == STATIC:
        return np.array([content["start"]])
    times = np.arange(content["start"], content["stop"] + 1e-9, content["step"])
    if period.PeriodNum == WHOLE:
        return times
    return times[(times >= period.FromTime - 1e-9) & (times <= period.ToTime + 1e-9)]


def place_of(extra):
    extra = plain(extra)
    if extra is None:
        return 0.0
    return extra.LinePoint + 0.01 * extra.ArcLength + 0.001 * sum(extra.RigidBodyPos)


def history(handle, identifier, extra, period):
    model, name, kind = item_of(handle)
    if not 1 <= identifier <= len(VARIABLES.get(kind, ())):
        raise Refused(UNKNOWN_VARIABLE, f"{name} has no variable {identifier}")
    if not model.read:
        model.read = True
        model.tell("read")
    return formula(model, name, identifier, place_of(extra), times_of(model, period))


def formula(model, name, identifier, place, times):
    seed = model.content["seed"] + sum(map(ord, name)) + 10 * identifier
    return 100.0 * identifier + place + seed * np.sin(0.37 * times + math.sqrt(seed))


@exported
def C_GetNumOfSamples(handle, period):
    return len(times_of(model_of(handle), period))


@exported
def C_GetSampleTimes(handle, period, values):
    values[:] = times_of(model_of(handle), period)


@exported
def C_GetTimeHistory2W(handle, extra, period, identifier, values):
    values[:] = history(handle, plain(identifier), extra, period)


@exported
def C_GetMultipleTimeHistoriesW(count, wanted, period, values):
    columns = [
        history(
            wanted[place].ObjectHandle,
            wanted[place].VarID,
            wanted[place].ObjectExtra or None,
            period,
        )
        for place in range(plain(count))
    ]
    if len(columns) > 1:
        columns[-1] += float(os.environ.get("OTHER_PROVIDER_LIES", "0"))
    values[:] = np.stack(columns, axis=1).ravel()


def nodes_of(arc_length_range):
    wanted = plain(arc_length_range)
    if wanted is None or wanted.Mode == 0:
        return NODES
    return NODES[(wanted.FromArclength <= NODES) & (wanted.ToArclength >= NODES)]


@exported
def C_GetRangeGraphCurveNamesW(handle, _extra, _period, _identifier, names):
    model_of(handle)
    names = plain(names)
    names.Min = names.Max = names.Mean = names.StdDev = "curve"


@exported
def C_GetRangeGraphNumOfPoints3(handle, _period, arc_length_range, _identifier):
    model_of(handle)
    return len(nodes_of(arc_length_range))


@exported
def C_GetRangeGraphNumOfPoints2(handle, arc_length_range, _identifier):
    model_of(handle)
    return len(nodes_of(arc_length_range))


@exported
def C_GetRangeGraphNumOfPoints(handle, _identifier):
    model_of(handle)
    return len(NODES)


def draw(handle, period, arc_length_range, identifier, curves):
    model, name, _ = item_of(handle)
    nodes = nodes_of(arc_length_range)
    times = times_of(model, period)
    table = np.stack([formula(model, name, plain(identifier), node, times) for node in nodes])
    answers = (nodes, table.min(1), table.max(1), table.mean(1), table.std(1))
    for target, values in zip(curves, answers, strict=False):
        if target is not None:
            target[:] = values


@exported
def C_GetRangeGraph3W(handle, _extra, period, identifier, *curves):
    draw(handle, period, None, identifier, curves)


@exported
def C_GetRangeGraph4W(handle, _extra, period, arc_length_range, identifier, *curves):
    draw(handle, period, arc_length_range, identifier, curves)


for _name in filter(None, os.environ.get("OTHER_PROVIDER_WITHOUT", "").split(",")):
    delattr(LIBRARY, _name)
