"""A server's runs and models, through the vendor's client 1.x."""
