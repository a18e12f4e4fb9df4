"""`python -m baco`: the command line."""

from baco.cli.commands import main

if __name__ == "__main__":
    main()
