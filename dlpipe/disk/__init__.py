"""Files that several processes write and read: locks, and writes that are whole or not at all."""
