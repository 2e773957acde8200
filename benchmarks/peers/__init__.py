"""What others make of the same work; see benchmarks/README.md."""
