"""Files of real profilers, imported by sondage and compared with what their own tools say."""

IMPORTS = []
