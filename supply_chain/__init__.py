"""What the product is made of: locked, watched for known issues, listed. Runs in an environment of its own, on the
standard library."""
