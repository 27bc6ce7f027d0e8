"""`SourceExampleGen`: an ExampleGen over any source that plans and reads (`components.records`)."""
