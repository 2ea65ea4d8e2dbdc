"""Back-filling: sends events of the past from a file, each once, however often it is interrupted."""
