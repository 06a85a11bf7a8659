"""What an order would do now: figures, checks and card. The tools in `broker/tools` build on it."""
