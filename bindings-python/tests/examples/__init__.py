"""The programs in `examples/python`: what they do with real input, with faults, and with Ctrl-C."""
