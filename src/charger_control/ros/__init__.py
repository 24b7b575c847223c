"""ROS glue that all nodes share: topics and QoS, parameters, conversion, diagnostics, runner."""
