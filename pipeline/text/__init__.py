"""Text in the transform graph, for every task that reads text: core TensorFlow ops only."""
