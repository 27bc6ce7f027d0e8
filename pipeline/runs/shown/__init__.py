"""What the report shows beside what artifacts say: advice, slices by need, the model before."""
