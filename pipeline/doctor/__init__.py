"""`dlpipe doctor`: examines the environment and the files of a workspace."""
