"""Commands for a model in production: what stays on the disk, what is live, what was asked."""
