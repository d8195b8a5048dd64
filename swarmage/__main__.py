"""``python -m swarmage`` is the command ``swarmage``."""

from swarmage.cli.main import main

if __name__ == "__main__":
    main()
