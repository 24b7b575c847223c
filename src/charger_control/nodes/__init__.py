"""One node per block: parameters in, messages in, one step of the core, messages out."""
