"""What the product costs, each number a ratio within one run; ``python -m devstack.bench`` prints
them."""
