"""`python -m serving`: the model server."""

from serving.cli import run

if __name__ == "__main__":
  run()
