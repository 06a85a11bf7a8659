"""At most one order per intent, under fire: whatever dies, the record and the exchange agree.

A real broker process is killed again and again before a paper exchange that outlives it. Afterwards the
exchange's own books are compared with the broker's database, which is read as a file, not through the broker.
"""
