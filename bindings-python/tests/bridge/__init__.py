"""Blocking code beside async code: calls, iterators, generators, callbacks, channels, waits."""
