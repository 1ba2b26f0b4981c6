"""Moving runs: pull into the archive, plan, push out of it, verify what arrived."""
