"""The commands for people; each module is imported when its command is called."""
