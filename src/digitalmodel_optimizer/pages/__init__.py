"""Pages of HTML that need nothing but a browser: no network, no script, readable on paper."""
