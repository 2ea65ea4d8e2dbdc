"""The proxy: calls vendors for others, counts what they cost, and refuses what a limit blocks."""
