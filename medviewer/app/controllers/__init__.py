"""Controllers: they compute what a viewport shows from the session, and hand it over when it changed."""
