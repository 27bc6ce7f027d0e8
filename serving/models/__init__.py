"""Models in memory: versions on the disk, how they are loaded and asked. Knows no protocol."""
