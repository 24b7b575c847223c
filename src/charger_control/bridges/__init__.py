"""The graph for clients that are not ROS, a folder for each kind of client."""
