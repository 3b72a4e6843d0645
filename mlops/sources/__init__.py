"""Public data sets as their publishers lay them out, read and checked. Pure.

Each module finds its files below a directory (None where there are none) and reads them into
columns. A file that is not what its name says is a BadFile with the file, and the line if it has
any.
"""
