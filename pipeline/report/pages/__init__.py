"""Pages beside a run's report, each one offline HTML file: of a replay, and of all runs."""
