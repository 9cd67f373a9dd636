"""Users' YAML files: reading one, and where the host looks for the base configuration under it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from digitalmodel_optimizer.contract import OptimizerError

TEST_DATA = Path("src", "digitalmodel", "tests", "test_data")
"""Below the working folder: the first place where the host looks for ``<basename>.yml``."""


def read_mapping(path: Path) -> dict[str, Any]:
    """The mapping that stands in the YAML file ``path``, read as the host does.

    :raises OptimizerError: it cannot be read; the text says where.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    yaml = YAML(typ="safe", pure=True)
    yaml.version = (1, 1)  # as the host's reader has it
    try:
        content = yaml.load(path.read_bytes())
    except OSError as error:
        raise OptimizerError(f"{path} cannot be read: {error.strerror}") from error
    except YAMLError as error:
        raise OptimizerError(f"{path} is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise OptimizerError(f"{path} holds no mapping")
    return content
