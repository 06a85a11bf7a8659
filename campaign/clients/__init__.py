"""Other people's MCP clients, as they are: each runs in its own environment and process, and is told line by
line what to do.
"""
