"""The version, where everything that states it looks it up."""

VERSION = "0.1.0"
