"""Data in spans, such as a folder a day: each is read once, and windows are put together.

`pattern` finds the spans of a path such as `inbox/{date}/`, `window` chooses among them, `contents`
says what is in them, `kept` has what was read of each, `judging` names what is wrong with a window.
These import no TFX. `executor` and `statistics` carry out SourceExampleGen and StatisticsGen over a
window; `together` makes its artifacts.
"""
