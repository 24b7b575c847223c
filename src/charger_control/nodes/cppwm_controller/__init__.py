"""The cppwm_controller node: the controller, its log and what it keeps."""
