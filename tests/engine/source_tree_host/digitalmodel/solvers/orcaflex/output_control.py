# ruff: noqa: ANN201, ANN204, ANN206
"""Prints how far the loop is."""


class OutputController:
    def __init__(self, total=0):
        self.total = total

    @classmethod
    def from_config(cls, cfg):
        return cls(len(cfg["file_management"]["input_files"]["sim"]))

    def start(self, workers):
        print(f"DISPLAY {self.total} files, {workers} workers")

    def completed(self, name, error=None):
        print(f"DISPLAY {'failed' if error else 'done'} {name}")
