"""The command line: one file per verb group; reading needs no running platform, changing goes through it."""
