# SPDX-License-Identifier: Apache-2.0
"""Generated messages and stubs of the API ltisidecar.v1. The client wraps them."""
