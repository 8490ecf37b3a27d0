"""What a rule does where an attribute that it goes by is not known."""

from typing import Literal

Missing = Literal["deny", "allow"]
