"""`python -m serving`: the model server."""

import pathlib
import sys

# Python looks for modules in the current folder first. If that is this folder, `import grpc` would
# find the room of that name instead of the library.
_HERE = pathlib.Path(__file__).resolve().parent
sys.path[:] = [entry for entry in sys.path if pathlib.Path(entry).resolve() != _HERE]

from serving.cli import run  # noqa: E402

if __name__ == "__main__":
  run()
