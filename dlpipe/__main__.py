"""`python -m dlpipe`: the command line, as `dlpipe` is."""

from pipeline.cli.main import main

if __name__ == "__main__":
  main()
