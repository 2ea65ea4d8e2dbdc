"""The web portal at `/portal`: pages that show cost, KPIs and value to people who do not read code."""
