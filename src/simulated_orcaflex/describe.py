"""What is to stand in a simulation file, as plain frozen data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .catalogue import BY_NAME, MODEL_STATES, Signal
from .faults import Faults

Scalar = bool | int | float | str | None
DataValue = Scalar | tuple[Scalar, ...]
"""A data item: a plain value, or a tuple for an item that requires an index."""


@dataclass(frozen=True)
class VariableDescription:
    """One logged result: its mean and the standard deviations of its parts, all in `units`.

    `static` is the value in the static state; None puts it at the mean.
    """

    name: str
    units: str = ""
    mean: float = 0.0
    low_frequency_std: float = 0.0
    wave_frequency_std: float = 0.0
    noise_std: float = 0.0
    static: float | None = None

    @classmethod
    def from_signal(cls, signal: Signal) -> VariableDescription:
        """The description of a usual result."""
        return cls(
            signal.name,
            signal.units,
            signal.mean,
            signal.low_frequency_std,
            signal.wave_frequency_std,
            signal.noise_std,
        )


@dataclass(frozen=True)
class ObjectDescription:
    """One object of a model.

    `type_name` is a name of the table in `catalogue` ("Vessel", "Line", "6D Buoy"). `variables`
    None gives the type's usual results. Only lines use the last five fields: a line logs each of
    its results at each of its `nodes`, which lie evenly along `length_m`; `section_lengths_m`
    must add up to it (empty means one section); End A is at arc length 0.
    """

    name: str
    type_name: str
    variables: tuple[VariableDescription, ...] | None = None
    data: Mapping[str, DataValue] = field(default_factory=dict)
    nodes: int = 21
    length_m: float = 200.0
    section_lengths_m: tuple[float, ...] = ()
    touchdown_arc_length_m: float | None = None
    line_type: str = "Line Type1"

    def __post_init__(self) -> None:
        if self.type_name not in BY_NAME:
            raise ValueError(
                f"object {self.name!r}: unknown type {self.type_name!r}; "
                f"known are {', '.join(BY_NAME)}"
            )
        if self.type_name == "Line":
            if self.nodes < 2 or self.length_m <= 0:
                raise ValueError(f"line {self.name!r} needs two nodes and a length above zero")
            sections = self.section_lengths_m
            if sections and abs(sum(sections) - self.length_m) > 1e-6 * self.length_m:
                raise ValueError(
                    f"line {self.name!r}: sections add up to {sum(sections)} m, "
                    f"its length is {self.length_m} m"
                )

    def logged_variables(self) -> tuple[VariableDescription, ...]:
        """The results that the file holds for this object."""
        if self.variables is not None:
            return self.variables
        signals = BY_NAME[self.type_name].signals
        return tuple(VariableDescription.from_signal(signal) for signal in signals)


@dataclass(frozen=True)
class CurrentDescription:
    """One current profile: speed in m/s, direction in degrees."""

    name: str
    speed_m_s: float
    direction_deg: float


@dataclass(frozen=True)
class EnvironmentDescription:
    """The sea: the data items of the Environment object, and its logged results."""

    wave_hs_m: float = 2.5
    wave_tp_s: float = 9.0
    wave_direction_deg: float = 180.0
    water_depth_m: float = 120.0
    currents: tuple[CurrentDescription, ...] = (CurrentDescription("Current1", 0.8, 180.0),)
    active_current: str | None = None
    variables: tuple[VariableDescription, ...] | None = None
    data: Mapping[str, DataValue] = field(default_factory=dict)


@dataclass(frozen=True)
class SimulationDescription:
    """One simulation file. Times in seconds, from `start_time_s` (build-up below zero).

    `current_time_s` below `stop_time_s` makes a run that did not finish, with fewer samples;
    `state` is a name of OrcaFlex's model states, None gives SimulationStopped, or
    SimulationStoppedUnstable for an unfinished run; "InStaticState" has no samples at all.
    `size_mb` (decimal megabytes) is the exact size of the file: further columns are logged, which
    no result of an object names, and the rest is padding. `seed` makes the signals.
    `creator_version` is the version of OrcaFlex that the file names; None is the library's own.
    """

    objects: tuple[ObjectDescription, ...] = ()
    environment: EnvironmentDescription = EnvironmentDescription()
    start_time_s: float = -10.0
    stop_time_s: float = 60.0
    current_time_s: float | None = None
    sample_interval_s: float = 0.1
    state: str | None = None
    size_mb: float | None = None
    seed: int = 1
    faults: Faults | None = None
    general_data: Mapping[str, DataValue] = field(default_factory=dict)
    creator_version: str | None = None

    def __post_init__(self) -> None:
        if self.sample_interval_s <= 0:
            raise ValueError("sample_interval_s must be above zero")
        if not self.start_time_s <= 0 < self.stop_time_s:
            raise ValueError("start_time_s must not be above zero, stop_time_s must be")
        if self.state is not None and self.state not in MODEL_STATES:
            raise ValueError(f"unknown state {self.state!r}; known are {', '.join(MODEL_STATES)}")
        names = [item.name for item in self.objects]
        reserved = {"General", "Environment"}
        doubled = {name for name in names if names.count(name) > 1 or name in reserved}
        if doubled:
            raise ValueError(f"object names must be unique: {', '.join(sorted(doubled))}")

    def reached_time_s(self) -> float:
        """The time that the run got to."""
        return self.stop_time_s if self.current_time_s is None else self.current_time_s

    def model_state(self) -> str:
        """The name of the state that the model is in after loading."""
        if self.state is not None:
            return self.state
        finished = self.reached_time_s() >= self.stop_time_s
        return "SimulationStopped" if finished else "SimulationStoppedUnstable"

    def sample_count(self) -> int:
        """Logged samples, without the static state."""
        if self.model_state() in ("Reset", "CalculatingStatics", "InStaticState"):
            return 0
        duration = self.reached_time_s() - self.start_time_s
        return int(duration / self.sample_interval_s + 1e-6) + 1


def typical_simulation(
    *,
    vessels: int = 2,
    lines: int = 8,
    constraints: int = 8,
    links: int = 10,
    plain_objects: int = 60,
    nodes: int = 21,
    stop_time_s: float = 60.0,
    sample_interval_s: float = 0.1,
    size_mb: float | None = None,
    seed: int = 1,
    faults: Faults | None = None,
    current_time_s: float | None = None,
) -> SimulationDescription:
    """A moored pair of ships: named `Vessel 1`, `Mooring 1`, `Fender 1`, `Hawser 1` onwards.

    With the defaults there are 28 objects with results and 60 without, as in the models that the
    project was measured on, and a file of about 4 MB.
    """
    sea = EnvironmentDescription(
        wave_hs_m=1.0 + 0.25 * (seed % 9),
        wave_tp_s=6.0 + 0.5 * (seed % 13),
        currents=(
            CurrentDescription("Current 1yr", 0.6, 30.0 * (seed % 12)),
            CurrentDescription("Current 10yr", 0.9, 30.0 * (seed % 12)),
        ),
        active_current="Current 10yr",
    )
    counted = (
        ("Vessel", "Vessel", vessels),
        ("Line", "Mooring", lines),
        ("Constraint", "Fender", constraints),
        ("Link", "Hawser", links),
        ("Line Type", "Line Type", plain_objects),
    )
    objects = tuple(
        ObjectDescription(f"{stem} {index}", type_name, nodes=nodes, line_type="Line Type 1")
        for type_name, stem, count in counted
        for index in range(1, count + 1)
    )
    return SimulationDescription(
        objects=objects,
        environment=sea,
        stop_time_s=stop_time_s,
        current_time_s=current_time_s,
        sample_interval_s=sample_interval_s,
        size_mb=size_mb,
        seed=seed,
        faults=faults,
    )
