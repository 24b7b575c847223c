"""The open charging controller for ROS 2. See docs/architecture.md for the map."""
