"""`SourceExampleGen`: an ExampleGen over any source that plans and reads (`dlpipe.records`)."""
