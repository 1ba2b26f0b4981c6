"""`python -m runferry`."""

from runferry.cli import main

if __name__ == "__main__":
    main()
