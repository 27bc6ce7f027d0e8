"""What the page of `dlpipe check` shows beside findings: odd inputs, samples, distributions."""
