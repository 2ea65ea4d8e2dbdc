"""What is wrong with an installation, in words its user can act on: each module looks at one part."""
