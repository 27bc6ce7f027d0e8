"""The translation task: a model that translates sentences, trained on pairs."""
