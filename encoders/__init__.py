"""Records and pictures become hash codes. Only this package imports torch."""
