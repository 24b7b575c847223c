"""What all nodes share: topics and QoS, parameters, conversion, diagnostics, the runner."""
