"""Data sets of which every physical relation is written down, for where no files are at hand. Pure.

Everything is a function of the seed. What a model learns here it knows of generated data only, and
its run, its version and its card say `dataset=synthetic`.
"""
