import sys

from billing_service.sandbox.run import main

sys.exit(main())
