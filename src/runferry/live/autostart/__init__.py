"""Put first on the path of Python by `runferry run`: it is to find `sitecustomize` there."""
