"""`readings_ingested`: sent after the commit that stored readings; carries no data.

What is to be scored stands in ScoringNote. This is only the wake-up call.
"""

from django.dispatch import Signal

readings_ingested = Signal()
