"""Random programs, and loads: what holds for a few tasks holds for many, in any combination."""
