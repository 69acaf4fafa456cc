"""What is stored: codes, field names, index mappings, scripts, target profiles, errors."""
