"""The `charger` command: main.py finds the subcommand, a folder for each subject."""
