"""What two panels or more need: the engine, devices, data, digits, networks, training, runs."""
