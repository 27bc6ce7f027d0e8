"""The translation task: pairs of sentences to a model that translates one into the other."""
