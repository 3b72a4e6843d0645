"""How the admin writes dates and times by itself: as our own cells do, with the zone."""

DATE_FORMAT = "j M Y"
TIME_FORMAT = "H:i"
DATETIME_FORMAT = "j M Y H:i e"
SHORT_DATETIME_FORMAT = "j M Y H:i e"
