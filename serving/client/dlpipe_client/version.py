"""The version of this distribution and, because they are released together, of `dlpipe`."""

VERSION = "0.1.0"
