"""A second look at what the rungs find odd: was it like this before? Pure.

The rungs know a sensor's last readings, 640 of them. What comes once a day, at the weekend or with
every start of the machine is odd to them time and again. So a row that would alarm is looked at
again with a longer memory: the sensor's hours of the last five weeks.
"""
