"""The table of object types: their numbers, their names, and the results that each logs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Signal:
    """A result and how it moves, in the units named: mean, then standard deviations."""

    name: str
    units: str
    mean: float
    low_frequency_std: float
    wave_frequency_std: float
    noise_std: float = 0.0


@dataclass(frozen=True)
class ObjectTypeInfo:
    """One type of object: its number in the API, its name in the program, its usual results."""

    number: int
    name: str
    signals: tuple[Signal, ...] = ()


_POSITION = (
    Signal("X", "m", 0.0, 1.5, 0.6),
    Signal("Y", "m", 0.0, 1.0, 0.4),
    Signal("Z", "m", 0.0, 0.05, 0.7),
)
_ROTATION = (
    Signal("Rotation 1", "deg", 0.1, 0.1, 0.9),
    Signal("Rotation 2", "deg", -0.1, 0.1, 0.6),
    Signal("Rotation 3", "deg", 90.0, 0.8, 0.2),
)
_FORCES = (
    Signal("Connection Force", "kN", 850.0, 60.0, 90.0, 2.0),
    Signal("Connection Moment", "kN.m", 240.0, 20.0, 45.0, 1.0),
)

OBJECT_TYPES: tuple[ObjectTypeInfo, ...] = (
    ObjectTypeInfo(1, "General"),
    ObjectTypeInfo(
        3,
        "Environment",
        (
            Signal("Elevation", "m", 0.0, 0.02, 0.9),
            Signal("X Velocity", "m/s", 0.1, 0.02, 0.5),
            Signal("Wind Speed", "m/s", 12.0, 0.8, 0.4, 0.2),
        ),
    ),
    ObjectTypeInfo(
        5,
        "Vessel",
        (
            *_POSITION,
            *_ROTATION,
            Signal("X Velocity", "m/s", 0.0, 0.05, 0.4),
            Signal("Y Velocity", "m/s", 0.0, 0.04, 0.3),
            Signal("Z Velocity", "m/s", 0.0, 0.02, 0.5),
        ),
    ),
    ObjectTypeInfo(
        6,
        "Line",
        (
            Signal("Effective Tension", "kN", 1200.0, 80.0, 110.0, 3.0),
            Signal("Wall Tension", "kN", 1250.0, 80.0, 110.0, 3.0),
            Signal("Bend Moment", "kN.m", 35.0, 3.0, 8.0, 0.4),
            Signal("Curvature", "rad/m", 0.004, 0.0004, 0.001, 0.0),
            Signal("Declination", "deg", 120.0, 1.0, 2.5),
            Signal("X", "m", 60.0, 1.0, 0.5),
            Signal("Y", "m", 5.0, 0.6, 0.3),
            Signal("Z", "m", -40.0, 0.2, 0.6),
        ),
    ),
    ObjectTypeInfo(7, "6D Buoy", (*_POSITION, *_ROTATION)),
    ObjectTypeInfo(8, "3D Buoy", _POSITION),
    ObjectTypeInfo(
        9,
        "Winch",
        (Signal("Tension", "kN", 300.0, 20.0, 40.0, 1.0), Signal("Length", "m", 45.0, 0.5, 0.6)),
    ),
    ObjectTypeInfo(
        10,
        "Link",
        (
            Signal("Tension", "kN", 420.0, 40.0, 70.0, 2.0),
            Signal("Length", "m", 12.0, 0.1, 0.15),
            Signal("Velocity", "m/s", 0.0, 0.01, 0.1),
        ),
    ),
    ObjectTypeInfo(11, "Shape"),
    ObjectTypeInfo(
        12,
        "Constraint",
        (*_POSITION, *_ROTATION, *_FORCES),
    ),
    ObjectTypeInfo(13, "Turbine"),
    ObjectTypeInfo(15, "Line Type"),
    ObjectTypeInfo(16, "Clump Type"),
    ObjectTypeInfo(17, "Wing Type"),
    ObjectTypeInfo(18, "Vessel Type"),
    ObjectTypeInfo(20, "Flex Joint Type"),
    ObjectTypeInfo(21, "Stiffener Type"),
    ObjectTypeInfo(41, "Flex Joint"),
    ObjectTypeInfo(43, "Attached Buoy"),
    ObjectTypeInfo(47, "Friction Coefficients"),
    ObjectTypeInfo(50, "Py Model"),
    ObjectTypeInfo(55, "Support Type"),
    ObjectTypeInfo(57, "Morison Element Type"),
    ObjectTypeInfo(61, "Browser Group"),
    ObjectTypeInfo(62, "Multibody Group"),
    ObjectTypeInfo(1000, "Drag Coefficient"),
    ObjectTypeInfo(1002, "Bending Stiffness"),
    ObjectTypeInfo(1025, "Coatings or Linings"),
)

GENERAL = 1
ENVIRONMENT = 3
LINE = 6
BY_NAME: dict[str, ObjectTypeInfo] = {info.name: info for info in OBJECT_TYPES}
NAME_OF_NUMBER: dict[int, str] = {info.number: info.name for info in OBJECT_TYPES}
RIGID_BODIES = ("Vessel", "6D Buoy", "Constraint")
"""Types whose X, Y and Z are those of a point that the object extra names."""

MODEL_STATES: dict[str, int] = {
    "Reset": 0,
    "CalculatingStatics": 1,
    "InStaticState": 2,
    "RunningSimulation": 3,
    "SimulationStopped": 4,
    "SimulationStoppedUnstable": 5,
}
