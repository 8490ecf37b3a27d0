"""`python -m shortlist.cli`, for where the console script is not on the path."""

from shortlist.cli.app import main

main()
