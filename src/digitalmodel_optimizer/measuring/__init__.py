"""What demo and benchmarks share: running the host, measuring it, comparing what it wrote."""
