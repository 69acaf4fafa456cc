"""How good an encoder is, by the field's protocol: counts at each distance, figures from them, plots and tables."""
