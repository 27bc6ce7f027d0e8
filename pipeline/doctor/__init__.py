"""What `dlpipe doctor` looks at: the environment, and what a workspace holds."""
