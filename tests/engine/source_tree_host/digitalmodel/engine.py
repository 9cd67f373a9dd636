# ruff: noqa: ANN201, ANN204
"""Reads the configuration, lists the files, runs the post-process, saves the configuration."""

import os
import sys
from pathlib import Path

import yaml


class AttributeDict(dict):
    """A dict whose keys are attributes too."""

    def __getattr__(self, name):
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


def engine(inputfile=None):
    inputfile = inputfile or sys.argv[1]
    cfg = AttributeDict(yaml.safe_load(Path(inputfile).read_text()))
    root = os.getcwd()
    results = os.path.join(root, "results")
    os.makedirs(results, exist_ok=True)
    sims = sorted(Path(root, "sim").glob("*.sim"), reverse=True)
    cfg["file_management"]["input_files"] = {"sim": sims}
    stem = Path(inputfile).stem
    cfg["Analysis"] = {
        "analysis_root_folder": root,
        "result_folder": results,
        "file_name": stem,
        "file_name_for_overwrite": stem,
        "CustomInputFile": inputfile,
    }
    from digitalmodel.solvers.orcaflex.opp import OrcaFlexPostProcess

    OrcaFlexPostProcess().post_process_router(cfg)
    records = cfg[cfg["meta"]["basename"]]
    Path(results, f"{stem}.yml").write_text(yaml.safe_dump(records))
    return cfg
