"""What the published methods reach on the field's labelled sets, and what they cost."""
