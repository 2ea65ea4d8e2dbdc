"""What every test runs under."""

from hypothesis import HealthCheck, settings

# How fast examples are made says something about the machine, which CI shares, and nothing about the code.
settings.register_profile("default", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("default")
