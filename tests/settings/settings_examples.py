"""Settings that load, and values that must never be shown."""

import base64

CANARY = "canary4242"
TEST_KEY = "sk_" + "test_" + "sandbox"
LIVE_KEY = "sk_" + "live_" + CANARY * 4
OTHER_KEY = "sk_" + "test_" + CANARY
SECRET_1, SECRET_2 = "whsec_" + CANARY * 2, "whsec_" + CANARY * 3
EVENT_SECRET = "whsec_" + base64.b64encode(f"{CANARY} of 24 bytes or more".encode()).decode()
PEPPER = f"{CANARY}-pepper-0123456789-abcdefgh"
THIS_FILE = __file__
GOOD = {"STRIPE_SECRET_KEY": TEST_KEY, "STRIPE_WEBHOOK_SECRET": SECRET_1, "BILLING_API_KEY_PEPPER": PEPPER}
LIVE = {"STRIPE_SECRET_KEY": LIVE_KEY, "FRONTEND_URL": "https://app.example.com"}
TLS = {"BILLING_TLS_CERTIFICATE_FILE": THIS_FILE, "BILLING_TLS_PRIVATE_KEY_FILE": THIS_FILE}
