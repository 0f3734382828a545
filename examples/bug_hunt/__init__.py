"""A scripted agent that repairs small programs, as real input for the pipeline; see README.md."""
