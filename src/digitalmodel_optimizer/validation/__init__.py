"""Whether two results are equal: of the host's own loop and the plugins, or in two folders."""
