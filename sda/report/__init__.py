"""What is told of runs: words for the terminal, figures and pages."""
