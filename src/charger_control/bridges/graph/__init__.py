"""What any client needs of the graph: state and documents of a charger, and asking.
Knows no web server."""
