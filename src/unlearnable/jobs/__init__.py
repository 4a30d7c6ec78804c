"""Millions of photos: the work is cut into shards, each made exactly once, by any number of processes."""
