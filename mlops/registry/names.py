"""What things are called in the registry."""

CHAMPION, CHALLENGER = "champion", "challenger"
FILE_NAME = "detector.zip"
FOLDER = "model"
