"""The sample catalogue: a picture library of drawings, and well-known books whose covers show one of them."""
