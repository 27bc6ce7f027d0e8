"""The commands of a person; each module is imported when its command is called."""
