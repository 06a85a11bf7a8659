"""A broker under attack, while a trader decides and an agent trades: each attack is judged by itself.

The attackers are processes of their own, on loopback only. Each sends at most so much a second, so that the
broker is measured and not a machine without any time left. Each ends by itself.
"""
