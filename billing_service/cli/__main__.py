"""`python -m billing_service.cli`."""

from billing_service.cli import main

if __name__ == "__main__":
    main()
