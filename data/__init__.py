"""Sample data that ships with the product, or the code that writes it; imports nothing of ours."""
