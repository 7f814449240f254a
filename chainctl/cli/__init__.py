"""The command line: arguments and environment in; output, exit codes and nothing else out."""
