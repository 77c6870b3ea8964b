"""``python -m casedesk_proxy`` is the ``casedesk-proxy`` command."""

from casedesk_proxy.cli import main

main()
