"""The project package. It imports nothing: the supervisor needs only ``petplace.embedded`` and should start at once."""
