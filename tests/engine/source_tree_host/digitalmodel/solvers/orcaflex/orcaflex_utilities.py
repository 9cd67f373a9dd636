# ruff: noqa: ANN201, LOG015
"""Loading models."""

import io
import logging
import sys
from pathlib import Path

import OrcFxAPI
import pandas as pd


class OrcaflexUtilities:
    def get_load_matrix_with_filenames(self, cfg):
        names = [str(name) for name in cfg.file_management["input_files"]["sim"]]
        return pd.DataFrame({"fe_filename": names})

    def loadSimulation(self, FileName):  # noqa: N802, N803 - the host's names
        told, sys.stdout = sys.stdout, io.StringIO()
        try:
            return OrcFxAPI.Model(FileName)
        finally:
            sys.stdout = told

    def get_model_and_metadata(self, file_name):
        model = self.loadSimulation(str(Path(file_name).with_suffix(".sim").resolve()))
        run_status = model.state.__dict__["_name_"]
        unstable = run_status == "SimulationStoppedUnstable"
        if unstable:
            logging.info("%s: unstable", file_name)
        return {
            "model": None if unstable else model,
            "run_status": run_status,
            "start_time": model.simulationStartTime,
            "stop_time": model.simulationStopTime,
            "current_time": model.simulationTimeStatus.CurrentTime,
        }
