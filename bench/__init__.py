"""Latencies, each next to its floor, the least possible time: `python -m bench [NAME …]`."""
