"""In one process of the real host: run ``engine()`` on each configuration named, as a script would.

``python host_runs.py FOLDER/CONFIG...``; results go to FOLDER/results as the configuration says.
"""

from __future__ import annotations

import os
import sys


def main() -> None:
    from digitalmodel.engine import engine

    for config in sys.argv[1:]:
        folder, name = os.path.split(config)
        os.chdir(folder)
        sys.argv = ["digitalmodel", name]
        engine()


if __name__ == "__main__":
    main()
