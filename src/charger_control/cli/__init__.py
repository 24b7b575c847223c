"""The `charger` command, one file per subcommand."""
