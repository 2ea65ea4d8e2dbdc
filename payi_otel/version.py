"""The version of the package; pyproject.toml takes it from here.

A constant, because to ask the installed package for it would be half of `import payi_otel`.
"""

VERSION = "0.1.0"
