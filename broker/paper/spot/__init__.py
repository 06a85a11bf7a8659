"""The spot exchange: balances, matching, and its endpoints and streams."""
