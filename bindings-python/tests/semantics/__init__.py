"""SEMANTICS.md, row by row, and what the READMEs of the reference show."""
