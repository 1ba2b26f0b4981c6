"""runferry moves machine-learning experiments between trackers without losing anything."""
