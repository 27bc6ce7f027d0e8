"""What stays of earlier runs: what must, what may go, and how it goes.

`planning` decides and reads nothing; `holdings` reads the stores and the disk; `cleaning` deletes;
`cleaned` keeps what is told of a run whose files are gone.
"""
